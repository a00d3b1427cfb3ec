// SPDX-License-Identifier: Apache-2.0
// Shape arithmetic that cannot overflow, and shared byte buffers.
#include "native/base/tensor.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <ranges>
#include <span>
#include <string>
#include <utility>

#include "native/base/error.h"

namespace infer {
namespace {

constexpr std::size_t kAlignment = 64;
// A tensor may not exceed what a signed 64-bit size can say, so sums of a few of them cannot wrap.
constexpr std::size_t kMaxElements = std::numeric_limits<std::int64_t>::max() / 16;

}  // namespace

Result<std::size_t> elementCount(std::span<const std::int64_t> shape) {
  std::size_t count = 1;
  bool zero = false;
  for (const std::int64_t dim : shape) {
    if (dim < 0) {
      return Error{ErrorCode::kBadInput, "expected non-negative dims, got " + shapeText(shape), {}};
    }
    zero = zero || dim == 0;
    const auto size = static_cast<std::size_t>(dim);
    // Also past a zero dim: [0, 2^62, 2^62] is no shape anybody can allocate a row of.
    if (size != 0 && count > kMaxElements / size) {
      return Error{
          ErrorCode::kBadInput, "shape " + shapeText(shape) + " has too many elements", {}};
    }
    count *= size == 0 ? 1 : size;
  }
  return zero ? std::size_t{0} : count;
}

Result<std::size_t> byteSize(ElementType type, std::span<const std::int64_t> shape) {
  auto count = elementCount(shape);
  if (!count.ok()) {
    return count;
  }
  return count.value() * elementTypeInfo(type).bytes;  // at most 8 bytes each: see kMaxElements
}

std::string shapeText(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (const std::int64_t dim : shape) {
    text += text.size() > 1 ? ", " : "";
    text += dim == kFreeAxis ? "?" : std::to_string(dim);
  }
  return text + "]";
}

Bytes Bytes::allocate(std::size_t size) {
  std::size_t space = size + kAlignment;
  auto memory = std::make_shared_for_overwrite<std::byte[]>(space);
  void* start = memory.get();
  Bytes bytes;
  bytes.data_ = static_cast<std::byte*>(std::align(kAlignment, size, start, space));
  bytes.size_ = size;
  bytes.owner_ = std::move(memory);
  return bytes;
}

Bytes Bytes::adopt(std::shared_ptr<void> owner, std::byte* data, std::size_t size) {
  Bytes bytes;
  bytes.owner_ = std::move(owner);
  bytes.data_ = data;
  bytes.size_ = size;
  return bytes;
}

Bytes Bytes::slice(std::size_t offset, std::size_t size) const {
  return adopt(owner_, data_ + offset, size);
}

Result<void> checkShape(const TensorSpec& spec, std::span<const std::int64_t> shape) {
  bool fits = shape.size() == spec.shape.size();
  for (std::size_t i = 0; fits && i < shape.size(); ++i) {
    fits = shape[i] >= 0 && (spec.shape[i] == kFreeAxis || spec.shape[i] == shape[i]);
  }
  if (fits) {
    return {};
  }
  return Error{ErrorCode::kBadInput,
               "input \"" + spec.name + "\": expected shape " + shapeText(spec.shape) + ", got " +
                   shapeText(shape),
               {}};
}

bool isBatchable(const Signature& signature) {
  if (!hasFreeRows(signature)) {
    return false;
  }
  std::string name;
  const auto agrees = [&name](const TensorSpec& spec) {
    if (name.empty()) {
      name = *spec.batchAxis;
    }
    return spec.batchAxis->empty() || *spec.batchAxis == name;
  };
  return std::ranges::all_of(signature.inputs, agrees) &&
         std::ranges::all_of(signature.outputs, agrees);
}

bool isPredictable(const Signature& signature, bool batched) {
  const auto fixed = [batched](const TensorSpec& spec) {
    const std::size_t counted = batched ? 1 : 0;
    return std::ranges::find(spec.shape | std::views::drop(counted), kFreeAxis) ==
           std::ranges::end(spec.shape);
  };
  return signature.steadyCost && std::ranges::all_of(signature.inputs, fixed);
}

Signature withFreeRows(Signature signature) {
  for (auto* side : {&signature.inputs, &signature.outputs}) {
    for (TensorSpec& spec : *side) {
      spec.shape[0] = kFreeAxis;
      spec.batchAxis = spec.batchAxis.value_or("");
    }
  }
  return signature;
}

bool hasFreeRows(const Signature& signature) {
  const auto free = [](const TensorSpec& spec) { return spec.batchAxis.has_value(); };
  return !signature.inputs.empty() && !signature.outputs.empty() &&
         std::ranges::all_of(signature.inputs, free) &&
         std::ranges::all_of(signature.outputs, free);
}

}  // namespace infer
