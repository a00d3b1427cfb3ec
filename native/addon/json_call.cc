// SPDX-License-Identifier: Apache-2.0
// From bytes to a request of the scheduler.
#include "native/addon/json_call.h"

#include <napi.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/codec/body.h"
#include "native/codec/schema.h"
#include "native/codec/v2_request.h"
#include "native/scheduler/padding.h"
#include "native/scheduler/served_model.h"

namespace infer::addon {

std::shared_ptr<const codec::Schema> toSchema(const ServedModel& model,
                                              const Napi::Object& description) {
  auto schema = std::make_shared<codec::Schema>();
  schema->name = description.Get("name").As<Napi::String>().Utf8Value();
  schema->version = description.Get("version").As<Napi::String>().Utf8Value();
  schema->maxRows = description.Get("maxRows").As<Napi::Number>().Int64Value();
  schema->maxRowsKey = description.Get("maxRowsKey").As<Napi::String>().Utf8Value();
  schema->batchable = model.queue.limits().batchable;
  schema->inputs = model.signature.inputs;
  schema->outputs = model.signature.outputs;
  const auto shapes = description.Get("shapes").As<Napi::Array>();
  for (std::size_t i = 0; i < schema->inputs.size(); ++i) {
    const auto dims = Napi::Value(shapes[static_cast<std::uint32_t>(i)]).As<Napi::Array>();
    Shape& shape = schema->inputs[i].shape;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      shape[axis] =
          Napi::Value(dims[static_cast<std::uint32_t>(axis)]).As<Napi::Number>().Int64Value();
    }
  }
  const auto labels = description.Get("labels").As<Napi::Array>();
  for (std::uint32_t i = 0; i < labels.Length(); ++i) {
    const auto names = Napi::Value(labels[i]).As<Napi::Array>();
    std::vector<std::string>& own = schema->labels.emplace_back();
    for (std::uint32_t name = 0; name < names.Length(); ++name) {
      own.push_back(Napi::Value(names[name]).As<Napi::String>().Utf8Value());
    }
  }
  return schema;
}

std::size_t readBytes(std::string_view body, const codec::Schema& schema, const JsonCall& call) {
  const auto isString = [](const TensorSpec& spec) { return spec.type == ElementType::kString; };
  if (!call.v2 || !call.v2->headerBytes || std::ranges::any_of(schema.inputs, isString)) {
    return body.size();
  }
  return *call.v2->headerBytes;
}

Result<BodyBytes> bytesOf(const Napi::Value& value) {
  if (!value.IsTypedArray()) {
    return Error{ErrorCode::kBadInput, "body: expected a Uint8Array", {}};
  }
  napi_typedarray_type type{};
  std::size_t length = 0;
  void* data = nullptr;
  napi_value buffer = nullptr;
  napi_get_typedarray_info(value.Env(), value, &type, &length, &data, &buffer, nullptr);
  if (type != napi_uint8_array) {
    return Error{ErrorCode::kBadInput, "body: expected a Uint8Array", {}};
  }
  bool isOwn = false;
  napi_is_arraybuffer(value.Env(), buffer, &isOwn);
  return BodyBytes{.bytes = {static_cast<const char*>(data), length}, .isShared = !isOwn};
}

Result<std::unique_ptr<Request>> readJsonRequest(const ServedModel& model,
                                                 const std::shared_ptr<const codec::Schema>& schema,
                                                 std::string_view body, const JsonCall& call) {
  try {
    auto read = call.v2 ? codec::readV2(body, schema, *call.v2)
                        : codec::readBody(body, schema, call.options);
    if (!read.ok()) {
      return std::move(read).error();
    }
    auto request = std::make_unique<Request>();
    request->id = call.id;
    request->deadline = call.deadline;
    if (read.value().timeout > 0) {
      request->deadline = std::min(call.deadline, call.arrived + read.value().timeout);
    }
    request->inputs = std::move(read.value().inputs);
    request->encoded = std::move(read.value().answer);
    if (model.queue.limits().batchable) {
      if (auto measured = measure(*request, model.signature, model.padding); !measured.ok()) {
        return std::move(measured).error();
      }
    }
    request->encoded->timed = call.timed;
    request->encoded->times.parse = SteadyClock().now() - call.arrived;
    return request;
  } catch (const std::exception& failure) {  // std::bad_alloc
    return caught(failure, "the body cannot be read");
  }
}

}  // namespace infer::addon
