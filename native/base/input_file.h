// SPDX-License-Identifier: Apache-2.0
// A file open for reading at any place. One that others cut short meanwhile just ends earlier,
// which with a mapping would end the process. Threads: any; a value that owns its descriptor.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "native/base/error.h"

namespace infer {

class InputFile {
 public:
  // Fails with kModelNotFound and the system's reason when the file cannot be read.
  static Result<InputFile> open(const std::string& path);

  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&& other) noexcept;
  ~InputFile();

  // When it was opened.
  std::uint64_t size() const { return static_cast<std::uint64_t>(facts_.st_size); }

  // Fills `out` from `offset` on; returns how much it could, which is less at the end.
  std::size_t read(std::uint64_t offset, std::span<std::byte> out) const;

  // Whether `path` still names this file, unchanged in size and time.
  bool isStill(const std::string& path) const;

 private:
  InputFile(int descriptor, const struct stat& facts) : descriptor_(descriptor), facts_(facts) {}

  int descriptor_;
  struct stat facts_;
};

}  // namespace infer
