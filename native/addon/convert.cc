// SPDX-License-Identifier: Apache-2.0
// What comes in from JS: tensors and load requests.
#include "native/addon/convert.h"

#include <napi.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/engine/registry.h"
#include "native/scheduler/lane_pool.h"
#include "native/scheduler/policy.h"
#include "native/scheduler/scheduler.h"

namespace infer::addon {
namespace {

constexpr double kMaxSafeInteger = 9007199254740991.0;  // 2^53 - 1

Error badInput(const std::string& what, const std::string& problem) {
  return {ErrorCode::kBadInput, what + ": " + problem, {}};
}

Result<Tensor> stringsToTensor(const TensorSpec& spec, const Napi::Value& data, Tensor tensor,
                               std::size_t count) {
  const std::string what = "input \"" + spec.name + "\"";
  if (!data.IsArray()) {
    return badInput(what, "expected an array of strings");
  }
  const auto array = data.As<Napi::Array>();
  if (array.Length() != count) {
    return badInput(what, "expected " + std::to_string(count) + " strings for shape " +
                              shapeText(tensor.shape) + ", got " + std::to_string(array.Length()));
  }
  tensor.strings.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const Napi::Value element = array[i];
    if (!element.IsString()) {
      return badInput(what + " element " + std::to_string(i), "expected a string");
    }
    tensor.strings.push_back(element.As<Napi::String>().Utf8Value());
  }
  return tensor;
}

double numberOf(const Napi::Object& object, const char* key) {
  return object.Get(key).As<Napi::Number>().DoubleValue();
}

std::string textOf(const Napi::Object& object, const char* key) {
  return object.Get(key).As<Napi::String>().Utf8Value();
}

std::vector<std::int64_t> numbersOf(const Napi::Object& object, const char* key) {
  const auto array = object.Get(key).As<Napi::Array>();
  std::vector<std::int64_t> numbers;
  numbers.reserve(array.Length());
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    numbers.push_back(Napi::Value(array[i]).As<Napi::Number>().Int64Value());
  }
  return numbers;
}

BatchMode modeOf(const std::string& name) {
  if (name == "triton") {
    return BatchMode::kTriton;
  }
  return name == "fixed" ? BatchMode::kFixed : BatchMode::kAdaptive;
}

}  // namespace

Result<Tensor> toTensor(const TensorSpec& spec, const Napi::Value& data, Shape shape) {
  if (auto fits = checkShape(spec, shape); !fits.ok()) {
    return std::move(fits).error();
  }
  auto count = elementCount(shape);
  if (!count.ok()) {
    return std::move(count).error();
  }
  Tensor tensor{.type = spec.type, .shape = std::move(shape), .bytes = {}, .strings = {}};
  if (spec.type == ElementType::kString) {
    return stringsToTensor(spec, data, std::move(tensor), count.value());
  }
  if (!data.IsTypedArray()) {
    return badInput("input \"" + spec.name + "\"", "expected a typed array");
  }
  const std::size_t expected = count.value() * elementTypeInfo(spec.type).bytes;
  void* from = nullptr;
  std::size_t length = 0;
  napi_typedarray_type type{};
  napi_get_typedarray_info(data.Env(), data, &type, &length, &from, nullptr, nullptr);
  const std::size_t bytes = data.As<Napi::TypedArray>().ByteLength();
  if (bytes != expected) {
    return badInput("input \"" + spec.name + "\"",
                    "expected " + std::to_string(expected) + " bytes for shape " +
                        shapeText(tensor.shape) + " of " +
                        std::string(elementTypeInfo(spec.type).name) + ", got " +
                        std::to_string(bytes));
  }
  tensor.bytes = Bytes::allocate(bytes);
  if (bytes > 0) {
    std::memcpy(tensor.bytes.data(), from, bytes);
  }
  return tensor;
}

Result<std::vector<Shape>> toShapes(const Napi::Value& flat, std::size_t inputs) {
  const auto array = flat.As<Napi::Array>();
  const std::uint32_t length = array.Length();
  std::uint32_t at = 0;
  const auto next = [&array, &at, length]() -> std::int64_t {
    if (at >= length) {
      return -1;
    }
    const Napi::Value value = array[at++];
    const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
    const bool whole = number >= 0 && number <= kMaxSafeInteger && number == std::floor(number);
    return whole ? static_cast<std::int64_t>(number) : -1;
  };
  std::vector<Shape> shapes(inputs);
  for (Shape& shape : shapes) {
    const std::int64_t rank = next();
    for (std::int64_t i = 0; i < rank && at < length; ++i) {
      shape.push_back(next());
    }
    if (rank < 0 || static_cast<std::size_t>(rank) != shape.size()) {
      return Error{
          ErrorCode::kBadInput, "shapes: expected a rank and its dims for each of the inputs", {}};
    }
  }
  return shapes;
}

std::vector<LibraryCandidate> toCandidates(const Napi::Value& list) {
  const auto array = list.As<Napi::Array>();
  std::vector<LibraryCandidate> candidates;
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    const auto item = Napi::Value(array[i]).As<Napi::Object>();
    LibraryCandidate candidate;
    candidate.source = textOf(item, "source");
    candidate.path = textOf(item, "path");
    candidate.required = item.Get("required").ToBoolean();
    candidate.mappedOnly = item.Get("mappedOnly").ToBoolean();
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

Placement toPlacement(const Napi::Object& request) {
  Placement placement;
  placement.lanes = static_cast<std::size_t>(numberOf(request, "lanes"));
  const auto cores = request.Get("cores").As<Napi::Array>();
  for (std::uint32_t i = 0; i < cores.Length(); ++i) {
    placement.cores.push_back(Napi::Value(cores[i]).As<Napi::Number>().Int32Value());
  }
  return placement;
}

LoadSpec toLoadSpec(const Napi::Object& request, std::string& engine) {
  constexpr double kNanosecondsPerMicrosecond = 1000;
  engine = textOf(request, "engine");
  LoadSpec spec;
  spec.device = {"cpu"};
  spec.file.path = textOf(request, "file");
  spec.file.threadsPerRun = static_cast<int>(numberOf(request, "threadsPerRun"));
  spec.limits.maxBatch = static_cast<std::int64_t>(numberOf(request, "maxBatch"));
  spec.limits.maxDelay =
      static_cast<TimeNs>(numberOf(request, "maxDelayUs") * kNanosecondsPerMicrosecond);
  spec.limits.mode = modeOf(textOf(request, "mode"));
  spec.limits.maxQueue = static_cast<std::size_t>(numberOf(request, "maxQueue"));
  spec.limits.maxQueueRows = static_cast<std::int64_t>(numberOf(request, "maxQueueRows"));
  spec.limits.maxQueueBytes = static_cast<std::size_t>(numberOf(request, "maxQueueBytes"));
  spec.limits.buckets = numbersOf(request, "buckets");
  spec.limits.preferred = numbersOf(request, "preferred");
  const auto padding = request.Get("padding").As<Napi::Array>();
  for (std::uint32_t i = 0; i < padding.Length(); ++i) {
    const auto rule = Napi::Value(padding[i]).As<Napi::Object>();
    spec.padding.push_back({textOf(rule, "input"), numberOf(rule, "value"), textOf(rule, "mask")});
  }
  spec.placement = toPlacement(request);
  spec.warmup = request.Get("warmup").ToBoolean();
  const auto declared = request.Get("declared").As<Napi::Array>();
  for (std::uint32_t i = 0; i < declared.Length(); ++i) {
    const auto input = Napi::Value(declared[i]).As<Napi::Object>();
    const auto sizes = input.Get("shape").As<Napi::Array>();
    Shape& shape = spec.declared[textOf(input, "name")];
    for (std::uint32_t axis = 0; axis < sizes.Length(); ++axis) {
      shape.push_back(Napi::Value(sizes[axis]).As<Napi::Number>().Int64Value());
    }
  }
  return spec;
}

}  // namespace infer::addon
