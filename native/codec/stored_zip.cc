// SPDX-License-Identifier: Apache-2.0
// Local headers before the files, the directory of all behind them.
#include "native/codec/stored_zip.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace infer::codec {
namespace {

constexpr std::uint16_t kVersion = 20;        // of zip, which a reader needs
constexpr std::uint16_t kUtf8Names = 0x0800;  // a flag
constexpr std::uint16_t kFirstOf1980 =
    0x0021;                                    // the earliest date that zip has: there are no times
constexpr std::size_t kHeaderBytes = 30 + 46;  // of a file, before it and in the directory
constexpr std::size_t kEndBytes = 22;

// One entry for each byte. Source: ISO 3309, polynomial 0xEDB88320 with the bits reversed.
constexpr std::array<std::uint32_t, 256> makeTable() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1U) ^ ((value & 1U) != 0 ? 0xedb8'8320U : 0U);
    }
    table[byte] = value;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kTable = makeTable();

void append16(std::string& out, std::size_t value) {
  out += static_cast<char>(value & 0xffU);
  out += static_cast<char>((value >> 8U) & 0xffU);
}

void append32(std::string& out, std::size_t value) {
  append16(out, value & 0xffffU);
  append16(out, value >> 16U);
}

// What stands in a local header and in the directory alike.
std::string fieldsOf(std::string_view name, std::string_view content) {
  std::string fields;
  append16(fields, kVersion);
  append16(fields, kUtf8Names);
  append16(fields, 0);  // stored
  append16(fields, 0);  // midnight
  append16(fields, kFirstOf1980);
  append32(fields, crc32(content));
  append32(fields, content.size());
  append32(fields, content.size());
  append16(fields, name.size());
  append16(fields, 0);  // no extra field
  return fields;
}

}  // namespace

std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t value = 0xffff'ffff;
  for (const char byte : bytes) {
    value = (value >> 8U) ^ kTable[(value ^ static_cast<unsigned char>(byte)) & 0xffU];
  }
  return ~value;
}

bool StoredZip::add(std::string_view name, std::string_view content) {
  bytes_ =
      out_.size() + directory_.size() + kHeaderBytes + 2 * name.size() + content.size() + kEndBytes;
  if (bytes_ > kMostZipBytes || name.size() > 0xffff || count_ == 0xffff) {
    return false;
  }
  const std::string fields = fieldsOf(name, content);
  directory_ += "PK\x01\x02";
  append16(directory_, kVersion);
  directory_ += fields;
  append16(directory_, 0);  // no comment
  append16(directory_, 0);  // on this disk
  append16(directory_, 0);  // no text
  append32(directory_, 0);  // no attributes
  append32(directory_, out_.size());
  directory_ += name;
  out_.reserve(bytes_);
  out_ += "PK\x03\x04";
  out_ += fields;
  out_ += name;
  out_ += content;
  ++count_;
  return true;
}

std::string StoredZip::finish() && {
  const std::size_t start = out_.size();
  out_ += directory_;
  out_ += "PK\x05\x06";
  append32(out_, 0);  // this disk and that of the directory
  append16(out_, count_);
  append16(out_, count_);
  append32(out_, directory_.size());
  append32(out_, start);
  append16(out_, 0);  // no comment
  return std::move(out_);
}

}  // namespace infer::codec
