// SPDX-License-Identifier: Apache-2.0
// Conversion of tensors at the border of ONNX Runtime.
#include "native/engine/onnx/onnx_values.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/engine/onnx/onnx_api.h"
#include "native/engine/onnx/onnx_library.h"

namespace infer::onnx {
namespace {

// In the order of ElementType.
constexpr std::array<int, kElementTypes.size()> kOrtTypes = {
    kOrtFloat, kOrtDouble, kOrtFloat16, kOrtBFloat16, kOrtInt8,   kOrtInt16, kOrtInt32,
    kOrtInt64, kOrtUInt8,  kOrtUInt16,  kOrtUInt32,   kOrtUInt64, kOrtBool,  kOrtString};

Result<Owned<OrtValue>> stringsToOrt(const Library& library, const Tensor& tensor) {
  const Api& api = library.api();
  OrtAllocator* allocator = nullptr;
  auto done = library.check(api.getAllocatorWithDefaultOptions(&allocator),
                            ErrorCode::kEngineFailed, "allocator");
  Owned<OrtValue> value(nullptr, Release{&api});
  if (done.ok()) {
    OrtValue* raw = nullptr;
    done = library.check(api.createTensorAsOrtValue(allocator, tensor.shape.data(),
                                                    tensor.shape.size(), kOrtString, &raw),
                         ErrorCode::kEngineFailed, "string tensor");
    value.reset(raw);
  }
  for (std::size_t i = 0; done.ok() && i < tensor.strings.size(); ++i) {
    const std::string& text = tensor.strings[i];
    char* to = nullptr;
    done = library.check(api.getResizedStringTensorElementBuffer(value.get(), i, text.size(), &to),
                         ErrorCode::kEngineFailed, "string tensor");
    if (done.ok()) {
      std::ranges::copy(text, to);
    }
  }
  if (!done.ok()) {
    return std::move(done).error();
  }
  return value;
}

Result<std::vector<std::string>> stringsFromOrt(const Library& library, const OrtValue* value,
                                                std::size_t count) {
  const Api& api = library.api();
  std::vector<std::string> strings(count);
  if (count == 0) {
    return strings;
  }
  std::size_t bytes = 0;
  auto done = library.check(api.getStringTensorDataLength(value, &bytes), ErrorCode::kEngineFailed,
                            "string output");
  if (!done.ok()) {
    return std::move(done).error();
  }
  std::string content(bytes, '\0');
  std::vector<std::size_t> starts(count);
  done =
      library.check(api.getStringTensorContent(value, content.data(), bytes, starts.data(), count),
                    ErrorCode::kEngineFailed, "string output");
  if (!done.ok()) {
    return std::move(done).error();
  }
  starts.push_back(bytes);
  for (std::size_t i = 0; i < count; ++i) {
    strings[i] = content.substr(starts[i], starts[i + 1] - starts[i]);
  }
  return strings;
}

// Type and shape of a value that is a tensor.
Result<Tensor> describe(const Library& library, const OrtValue* value) {
  const Api& api = library.api();
  OrtTensorInfo* raw = nullptr;
  auto done =
      library.check(api.getTensorTypeAndShape(value, &raw), ErrorCode::kEngineFailed, "output");
  if (!done.ok()) {
    return std::move(done).error();
  }
  const Owned<OrtTensorInfo> info(raw, Release{&api});
  int type = 0;
  std::size_t rank = 0;
  done = library.check(api.getTensorElementType(raw, &type), ErrorCode::kEngineFailed, "output");
  if (done.ok()) {
    done = library.check(api.getDimensionsCount(raw, &rank), ErrorCode::kEngineFailed, "output");
  }
  Tensor tensor;
  tensor.shape.resize(rank);
  if (done.ok()) {
    done = library.check(api.getDimensions(raw, tensor.shape.data(), rank),
                         ErrorCode::kEngineFailed, "output");
  }
  if (!done.ok()) {
    return std::move(done).error();
  }
  const auto known = elementTypeOf(type);
  if (!known) {
    return Error{ErrorCode::kEngineFailed, "an output of ONNX element type " + std::to_string(type),
                 "element-type"};
  }
  tensor.type = *known;
  return tensor;
}

}  // namespace

std::optional<ElementType> elementTypeOf(int ortType) {
  const auto* at = std::ranges::find(kOrtTypes, ortType);
  if (at == kOrtTypes.end()) {
    return std::nullopt;
  }
  return static_cast<ElementType>(at - kOrtTypes.begin());
}

Result<Owned<OrtValue>> toOrt(const Library& library, const Tensor& tensor) {
  if (tensor.type == ElementType::kString) {
    return stringsToOrt(library, tensor);
  }
  const Api& api = library.api();
  OrtValue* raw = nullptr;
  auto done = library.check(
      api.createTensorWithDataAsOrtValue(
          library.cpuMemory(), tensor.bytes.data(), tensor.bytes.size(), tensor.shape.data(),
          tensor.shape.size(), kOrtTypes[static_cast<std::size_t>(tensor.type)], &raw),
      ErrorCode::kEngineFailed, "input tensor");
  if (!done.ok()) {
    return std::move(done).error();
  }
  return Owned<OrtValue>(raw, Release{&api});
}

Result<Tensor> fromOrt(const Library& library, Owned<OrtValue> value) {
  auto described = describe(library, value.get());
  if (!described.ok()) {
    return described;
  }
  Tensor tensor = std::move(described).value();
  auto count = elementCount(tensor.shape);
  if (!count.ok()) {
    return std::move(count).error();
  }
  if (tensor.type == ElementType::kString) {
    auto strings = stringsFromOrt(library, value.get(), count.value());
    if (!strings.ok()) {
      return std::move(strings).error();
    }
    tensor.strings = std::move(strings).value();
    return tensor;
  }
  void* data = nullptr;
  auto done = library.check(library.api().getTensorMutableData(value.get(), &data),
                            ErrorCode::kEngineFailed, "output");
  if (!done.ok()) {
    return std::move(done).error();
  }
  const std::size_t bytes = count.value() * elementTypeInfo(tensor.type).bytes;
  if (bytes == 0) {
    tensor.bytes = Bytes::allocate(0);  // data may be null
    return tensor;
  }
  // Shared: the lane that splits the batch and the JS threads that read the slices end it
  // independently.
  std::shared_ptr<OrtValue> owner = std::move(value);
  tensor.bytes = Bytes::adopt(std::move(owner), static_cast<std::byte*>(data), bytes);
  return tensor;
}

}  // namespace infer::onnx
