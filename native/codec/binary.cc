// SPDX-License-Identifier: Apache-2.0
// One copy each way, but for strings.
// Source: KServe's binary tensor data extension. Every platform that Node runs on with this addon
// is little-endian.
#include "native/codec/binary.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/text.h"

namespace infer::codec {
namespace {

constexpr std::size_t kLengthBytes = sizeof(std::uint32_t);

Error wrong(std::string message) {
  return {ErrorCode::kBadInput, std::move(message), {}};
}

// `inference input 'x' for model 'm'`
std::string inputText(const TensorSpec& spec, std::string_view model) {
  return "inference input '" + spec.name + "' for model '" + std::string(model) + "'";
}

Result<Tensor> readStrings(std::string_view chunk, const TensorSpec& spec, Shape shape,
                           std::string_view model) {
  const auto count = elementCount(shape);
  if (!count.ok()) {
    return count.error();
  }
  std::vector<std::string> strings;  // grows with what is there, not with what the shape promises
  while (!chunk.empty()) {
    if (chunk.size() < kLengthBytes) {
      return wrong("incomplete string length indicator for " + inputText(spec, model) +
                   ", expecting 4 bytes but only " + std::to_string(chunk.size()) +
                   " bytes available");
    }
    std::uint32_t length = 0;
    std::memcpy(&length, chunk.data(), kLengthBytes);
    chunk.remove_prefix(kLengthBytes);
    if (length > chunk.size()) {
      return wrong("incomplete string data for " + inputText(spec, model) +
                   ", expecting string of length " + std::to_string(length) + " but only " +
                   std::to_string(chunk.size()) + " bytes available");
    }
    if (strings.size() == count.value()) {
      return wrong("unexpected number of string elements " + std::to_string(strings.size() + 1) +
                   " for " + inputText(spec, model) + ", expecting " +
                   std::to_string(count.value()));
    }
    strings.emplace_back(chunk.substr(0, length));
    chunk.remove_prefix(length);
  }
  if (strings.size() != count.value()) {
    return wrong("expected " + std::to_string(count.value()) + " string elements for " +
                 inputText(spec, model) + ", got " + std::to_string(strings.size()));
  }
  return Tensor{.type = spec.type,
                .shape = std::move(shape),
                .bytes = Bytes::allocate(0),
                .strings = std::move(strings)};
}

}  // namespace

std::size_t binaryBytes(const Tensor& tensor) {
  if (tensor.type != ElementType::kString) {
    return tensor.bytes.size();
  }
  std::size_t bytes = 0;
  for (const std::string& text : tensor.strings) {
    bytes += kLengthBytes + text.size();
  }
  return bytes;
}

void appendBinary(std::string& out, const Tensor& tensor) {
  if (tensor.type != ElementType::kString) {
    out.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
    return;
  }
  for (const std::string& text : tensor.strings) {
    const auto length = static_cast<std::uint32_t>(text.size());
    out.append(reinterpret_cast<const char*>(&length), kLengthBytes);
    out += text;
  }
}

Result<Tensor> readBinary(std::string_view chunk, const TensorSpec& spec, Shape shape,
                          std::string_view model) {
  if (spec.type == ElementType::kString) {
    return readStrings(chunk, spec, std::move(shape), model);
  }
  const auto bytes = byteSize(spec.type, shape);
  if (!bytes.ok()) {
    return wrong("byte size overflow for " + inputText(spec, model));
  }
  if (bytes.value() != chunk.size()) {
    return wrong("input byte size mismatch for input '" + spec.name + "' for model '" +
                 std::string(model) + "'. Expected " + std::to_string(bytes.value()) + ", got " +
                 std::to_string(chunk.size()));
  }
  // Engines read a byte of another value as neither true nor false.
  if (spec.type == ElementType::kBool) {
    const auto odd = std::ranges::find_if(chunk, [](char byte) { return byte != 0 && byte != 1; });
    if (odd != chunk.end()) {
      return badInput("input " + quote(spec.name), "bytes of 0 or 1 (bool)",
                      std::to_string(static_cast<unsigned char>(*odd)) + " at byte " +
                          std::to_string(odd - chunk.begin()));
    }
  }
  const Bytes copy = Bytes::allocate(chunk.size());
  if (!chunk.empty()) {
    std::memcpy(copy.data(), chunk.data(), chunk.size());
  }
  return Tensor{.type = spec.type, .shape = std::move(shape), .bytes = copy, .strings = {}};
}

}  // namespace infer::codec
