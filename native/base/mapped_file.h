// SPDX-License-Identifier: Apache-2.0
// A file as bytes in memory, read only where they are looked at.
// Threads: any; a value that owns its mapping. Whoever truncates the file meanwhile ends the
// process that reads beyond its new end, as with every mapping.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "native/base/error.h"

namespace infer {

class MappedFile {
 public:
  // Fails with kModelNotFound and the system's reason when the file cannot be read. A file of no
  // bytes has empty bytes().
  static Result<MappedFile> open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<const std::byte> bytes) : bytes_(bytes) {}

  std::span<const std::byte> bytes_;
};

}  // namespace infer
