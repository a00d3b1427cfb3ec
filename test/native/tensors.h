// SPDX-License-Identifier: Apache-2.0
// Tensors from plain lists of values, and back.
// Threads: pure functions; any.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "native/base/tensor.h"

namespace test {

// A tensor of the bytes of `values`, whatever their element type is.
template <typename T>
infer::Tensor tensorOf(infer::ElementType type, infer::Shape shape, const std::vector<T>& values) {
  infer::Tensor tensor{.type = type, .shape = std::move(shape), .bytes = {}, .strings = {}};
  const auto bytes = std::as_bytes(std::span(values));
  tensor.bytes = infer::Bytes::allocate(bytes.size());
  std::ranges::copy(bytes, tensor.bytes.data());
  return tensor;
}

inline infer::Tensor floats(infer::Shape shape, const std::vector<float>& values) {
  return tensorOf(infer::ElementType::kFloat32, std::move(shape), values);
}

inline infer::Tensor strings(infer::Shape shape, std::vector<std::string> values) {
  infer::Tensor tensor{.type = infer::ElementType::kString,
                       .shape = std::move(shape),
                       .bytes = {},
                       .strings = std::move(values)};
  return tensor;
}

// The values of a tensor whose elements have the size of T.
template <typename T>
std::vector<T> valuesOf(const infer::Tensor& tensor) {
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  if (!values.empty()) {
    std::memcpy(values.data(), tensor.bytes.data(), values.size() * sizeof(T));
  }
  return values;
}

// A case for each element type, named by what goes before and after the type's name.
struct TypeCase {
  std::string name;
  infer::ElementType type;
};
inline std::vector<TypeCase> everyType(const std::string& before, const std::string& after) {
  std::vector<TypeCase> cases;
  cases.reserve(infer::kElementTypes.size());
  for (std::size_t i = 0; i < infer::kElementTypes.size(); ++i) {
    std::string name = before;
    name.append(infer::kElementTypes[i].name).append(after);
    cases.push_back({std::move(name), static_cast<infer::ElementType>(i)});
  }
  return cases;
}

// Equal in type, shape and every bit.
inline bool same(const infer::Tensor& a, const infer::Tensor& b) {
  return a.type == b.type && a.shape == b.shape && a.strings == b.strings &&
         valuesOf<std::byte>(a) == valuesOf<std::byte>(b);
}

}  // namespace test
