// SPDX-License-Identifier: Apache-2.0
// What the signature and the size of the body say together.
#include "native/codec/raw_request.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/binary.h"
#include "native/codec/json_request.h"
#include "native/codec/schema.h"
#include "native/codec/v2_answer.h"

namespace infer::codec {
namespace {

Error wrong(std::string message) {
  return {ErrorCode::kBadInput, std::move(message), {}};
}

// The whole body is one string.
Result<Tensor> readString(std::string_view body, const TensorSpec& spec, Shape shape) {
  std::ranges::replace(shape, kFreeAxis, 1);
  const auto count = elementCount(shape);
  if (!count.ok() || count.value() != 1) {
    return wrong("For BYTE datatype raw input '" + spec.name +
                 "', the model must have input shape [1]");
  }
  Tensor tensor{
      .type = spec.type, .shape = std::move(shape), .bytes = Bytes::allocate(0), .strings = {}};
  tensor.strings.emplace_back(body);
  return tensor;
}

Result<Tensor> readNumbers(std::string_view body, const TensorSpec& spec, Shape shape,
                           std::string_view model) {
  const auto open = std::ranges::count(shape, kFreeAxis);
  if (open > 1) {
    return wrong("The shape of the raw input '" + spec.name +
                 "' can not be deduced because there are more than one variable-sized dimension");
  }
  if (open == 1) {
    const auto free = std::ranges::find(shape, kFreeAxis);
    *free = 1;
    const auto unit = byteSize(spec.type, shape);
    if (unit.ok() && unit.value() > 0) {
      *free = static_cast<std::int64_t>(body.size() / unit.value());
    }
  }
  return readBinary(body, spec, std::move(shape), model);
}

}  // namespace

Result<JsonRequest> readRaw(std::string_view body, const std::shared_ptr<const Schema>& schema,
                            std::size_t maxResponseBytes) {
  if (schema->inputs.size() != 1) {
    return wrong("Raw request must only have 1 input (found 1) to be deduced but got " +
                 std::to_string(schema->inputs.size()) + " inputs in '" + schema->name +
                 "' model configuration");
  }
  const TensorSpec& spec = schema->inputs[0];
  Shape shape = spec.shape;
  if (schema->batchable && !shape.empty()) {
    shape[0] = 1;
  }
  auto tensor = spec.type == ElementType::kString
                    ? readString(body, spec, std::move(shape))
                    : readNumbers(body, spec, std::move(shape), schema->name);
  if (!tensor.ok()) {
    return std::move(tensor).error();
  }
  V2Plan plan{.id = {}, .outputs = {}, .isExact = true};
  for (std::size_t i = 0; i < schema->outputs.size(); ++i) {
    plan.outputs.push_back({.index = i, .isBinary = true});
  }
  std::vector<Tensor> inputs;
  inputs.push_back(std::move(tensor).value());
  return JsonRequest{std::move(inputs),
                     std::make_unique<V2Answer>(schema, std::move(plan), maxResponseBytes)};
}

}  // namespace infer::codec
