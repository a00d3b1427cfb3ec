// SPDX-License-Identifier: Apache-2.0
// Element types, checked shape arithmetic, tensors and the signature of a model.
// Threads: values; a Bytes may be shared by a lane and a JS thread, and nobody writes it after it
// is shared.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "native/base/error.h"

namespace infer {

enum class ElementType : std::uint8_t {
  kFloat32,
  kFloat64,
  kFloat16,
  kBFloat16,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUInt8,
  kUInt16,
  kUInt32,
  kUInt64,
  kBool,
  kString,
};

struct ElementTypeInfo {
  std::string_view name;
  std::size_t bytes;  // of one element; 0 for strings
};

// In the order of ElementType; the names are those of lib/tensor.ts.
inline constexpr std::array<ElementTypeInfo, 14> kElementTypes = {{
    {"float32", 4},
    {"float64", 8},
    {"float16", 2},
    {"bfloat16", 2},
    {"int8", 1},
    {"int16", 2},
    {"int32", 4},
    {"int64", 8},
    {"uint8", 1},
    {"uint16", 2},
    {"uint32", 4},
    {"uint64", 8},
    {"bool", 1},
    {"string", 0},
}};

constexpr const ElementTypeInfo& elementTypeInfo(ElementType type) {
  return kElementTypes[static_cast<std::size_t>(type)];
}

using Shape = std::vector<std::int64_t>;
inline constexpr std::int64_t kFreeAxis = -1;

// Number of elements of `shape`; an error when a dim is negative or the product does not fit.
Result<std::size_t> elementCount(std::span<const std::int64_t> shape);

// Bytes of a tensor that is not of strings; checked as elementCount.
Result<std::size_t> byteSize(ElementType type, std::span<const std::int64_t> shape);

// "[2, 3]"; a free axis prints as "?".
std::string shapeText(std::span<const std::int64_t> shape);

// A run of bytes with shared ownership: a lane and a JS thread end its life independently, and
// requests of one batch hold slices of one buffer. data() is never null.
class Bytes {
 public:
  Bytes() = default;
  // Not initialised; 64-byte aligned so that rows start on a cache line.
  static Bytes allocate(std::size_t size);
  // Memory of somebody else, kept alive by `owner`.
  static Bytes adopt(std::shared_ptr<void> owner, std::byte* data, std::size_t size);

  std::byte* data() const { return data_; }
  std::size_t size() const { return size_; }
  Bytes slice(std::size_t offset, std::size_t size) const;

 private:
  std::shared_ptr<void> owner_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

struct Tensor {
  ElementType type = ElementType::kFloat32;
  Shape shape;
  Bytes bytes;                       // every type but strings, row-major
  std::vector<std::string> strings;  // strings only, row-major
};

struct TensorSpec {
  std::string name;
  ElementType type = ElementType::kFloat32;
  Shape shape;  // kFreeAxis where the model leaves an axis open
  std::optional<std::string>
      batchAxis;  // name of free axis 0 ("" unnamed); nullopt: axis 0 is not free
  // As shape, "" where an axis has none. Axes of one name have one length. Empty: no names.
  std::vector<std::string> axisNames = {};
};

struct Signature {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  bool steadyCost = false;  // the time of a run depends on the shapes of its inputs only
};

// Whether `shape` is one that `spec` allows; the error names the tensor, the expectation and what
// came.
Result<void> checkShape(const TensorSpec& spec, std::span<const std::int64_t> shape);

// Axis 0 of every input and output is free.
bool hasFreeRows(const Signature& signature);

// The number of rows alone says how long a run takes: steady cost, and no free axis but the one
// that counts rows, which is axis 0 of a model whose requests are batched.
bool isPredictable(const Signature& signature, bool batched);
// The same with axis 0 of every input and output free; each has one.
Signature withFreeRows(Signature signature);

// Rows of several requests may share a run: axis 0 of every input and output is the same free axis.
// One without a name is taken to be the same; two different names are not.
bool isBatchable(const Signature& signature);

}  // namespace infer
