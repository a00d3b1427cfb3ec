// SPDX-License-Identifier: Apache-2.0
// A header that is a Python dictionary, and the elements as they lie in memory.
#include "native/codec/npy.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "native/base/tensor.h"
#include "native/codec/number.h"

namespace infer::codec {
namespace {

constexpr std::string_view kMagic("\x93NUMPY\x01\x00", 8);
constexpr std::size_t kLengthBytes = 2;  // of the field behind it: the length of the header
constexpr std::size_t kAlignment = 64;   // of the elements in the file

// In the order of ElementType. `<` is little-endian, as every platform that Node runs on with this
// addon.
constexpr std::array<std::string_view, kElementTypes.size()> kDescriptions = {
    "<f4", "<f8", "<f2", "<f4", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1", ""};

// A dictionary of Python with spaces up to the alignment and a line break.
std::string headerOf(const Tensor& tensor) {
  std::string header = "{'descr': '";
  header += kDescriptions[static_cast<std::size_t>(tensor.type)];
  header += "', 'fortran_order': False, 'shape': (";
  for (std::size_t axis = 0; axis < tensor.shape.size(); ++axis) {
    header += axis == 0 ? "" : " ";
    header += std::to_string(tensor.shape[axis]);
    header += axis == 0 || axis + 1 < tensor.shape.size() ? "," : "";
  }
  header += "), }";
  const std::size_t bytes = kMagic.size() + kLengthBytes + header.size() + 1;
  header.append((kAlignment - bytes % kAlignment) % kAlignment, ' ');
  return header + '\n';
}

}  // namespace

std::size_t npyBytes(const Tensor& tensor) {
  const std::size_t scale = tensor.type == ElementType::kBFloat16 ? 2 : 1;
  return kMagic.size() + kLengthBytes + headerOf(tensor).size() + tensor.bytes.size() * scale;
}

void appendNpy(std::string& out, const Tensor& tensor) {
  const std::string header = headerOf(tensor);
  out += kMagic;
  out += static_cast<char>(header.size() & 0xffU);
  out += static_cast<char>(header.size() >> 8U);
  out += header;
  if (tensor.type != ElementType::kBFloat16) {
    out.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
    return;
  }
  const std::span bits(reinterpret_cast<const std::uint16_t*>(tensor.bytes.data()),
                       tensor.bytes.size() / sizeof(std::uint16_t));
  for (const std::uint16_t each : bits) {
    const float value = fromSmallFloat(kBrain, each);
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
}

}  // namespace infer::codec
