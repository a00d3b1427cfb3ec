// SPDX-License-Identifier: Apache-2.0
// A zip archive in memory whose files are stored as they are. Source: PKWARE's APPNOTE.TXT 6.3.
// Threads: a value; any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace infer::codec {

// More takes fields of 64 bits.
inline constexpr std::size_t kMostZipBytes = 0xffff'0000;

// Of what zip calls CRC-32.
std::uint32_t crc32(std::string_view bytes);

class StoredZip {
 public:
  // False, and nothing is added, when it would have more than kMostZipBytes.
  bool add(std::string_view name, std::string_view content);
  // What it would have had with the last file.
  std::size_t bytes() const { return bytes_; }
  std::string finish() &&;

 private:
  std::string out_;
  std::string directory_;
  std::uint16_t count_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace infer::codec
