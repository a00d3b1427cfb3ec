// SPDX-License-Identifier: Apache-2.0
// Schemas for the tests of the codec, and short ways to read a body and write an answer.
// Threads: any.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/codec/answer.h"
#include "native/codec/body.h"
#include "native/codec/json_request.h"
#include "native/codec/schema.h"

namespace test {

inline infer::TensorSpec spec(std::string name, infer::ElementType type, infer::Shape shape) {
  return {.name = std::move(name), .type = type, .shape = std::move(shape), .batchAxis = {}};
}

using SchemaPtr = std::shared_ptr<const infer::codec::Schema>;

inline SchemaPtr schemaOf(std::vector<infer::TensorSpec> inputs,
                          std::vector<infer::TensorSpec> outputs) {
  return std::make_shared<const infer::codec::Schema>(infer::codec::Schema{
      .name = "m", .version = "1", .inputs = std::move(inputs), .outputs = std::move(outputs)});
}

// One input "x" and one output "y" of that type and shape.
inline SchemaPtr identity(infer::ElementType type, const infer::Shape& shape) {
  return schemaOf({spec("x", type, shape)}, {spec("y", type, shape)});
}

// Inputs a (float32 [-1, 2]) and b (int64 [-1, 1]); outputs sum (float32 [-1]) and twice (as a).
inline SchemaPtr twoInputs() {
  using infer::ElementType;
  return schemaOf(
      {spec("a", ElementType::kFloat32, {-1, 2}), spec("b", ElementType::kInt64, {-1, 1})},
      {spec("sum", ElementType::kFloat32, {-1}), spec("twice", ElementType::kFloat32, {-1, 2})});
}

inline infer::Result<infer::codec::JsonRequest> readBody(
    std::string_view body, const SchemaPtr& schema, unsigned forms = infer::codec::kAllForms,
    infer::codec::Format answer = infer::codec::Format::kJson) {
  // A copy of exactly that size, so that a sanitizer sees what is read behind its end.
  const std::vector<char> bytes(body.begin(), body.end());
  return infer::codec::readBody({bytes.data(), bytes.size()}, schema,
                                {.forms = forms,
                                 .maxResponseBytes = std::numeric_limits<std::size_t>::max(),
                                 .answer = answer});
}

// Why the body is refused; empty when it is not.
inline std::string refusalOf(std::string_view body, const SchemaPtr& schema,
                             unsigned forms = infer::codec::kAllForms) {
  const auto read = readBody(body, schema, forms);
  return read.ok() ? "" : read.error().message;
}

// What comes back when a model with one input gives it back unchanged.
inline std::string echoOf(std::string_view body, const SchemaPtr& schema,
                          unsigned forms = infer::codec::kAllForms,
                          infer::codec::Format answer = infer::codec::Format::kJson) {
  auto read = readBody(body, schema, forms, answer);
  if (!read.ok()) {
    return read.error().message;
  }
  const auto text = read.value().answer->write(read.value().inputs);
  return text.ok() ? text.value().text : text.error().message;
}

}  // namespace test
