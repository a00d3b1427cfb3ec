// SPDX-License-Identifier: Apache-2.0
// The JS methods of a loaded model.
#include "native/addon/model_wrap.h"

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/addon/completion.h"
#include "native/addon/convert.h"
#include "native/addon/environment.h"
#include "native/addon/js_error.h"
#include "native/addon/json_call.h"
#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/codec/answer.h"
#include "native/codec/json_request.h"
#include "native/codec/v2_request.h"
#include "native/scheduler/lane.h"
#include "native/scheduler/lane_pool.h"
#include "native/scheduler/padding.h"
#include "native/scheduler/scheduler.h"
#include "native/scheduler/served_model.h"

namespace infer::addon {
namespace {

Result<std::unique_ptr<Request>> readRequest(const ServedModel& model, const Napi::Value& data,
                                             const Napi::Value& flatShapes) {
  const Signature& signature = model.signature;
  const std::size_t inputs = signature.inputs.size();
  const auto arrays = data.As<Napi::Array>();
  if (arrays.Length() != inputs) {
    return Error{
        ErrorCode::kBadInput,
        "expected " + std::to_string(inputs) + " inputs, got " + std::to_string(arrays.Length()),
        {}};
  }
  auto shapes = toShapes(flatShapes, inputs);
  if (!shapes.ok()) {
    return std::move(shapes).error();
  }
  auto request = std::make_unique<Request>();
  request->inputs.reserve(inputs);
  for (std::size_t i = 0; i < inputs; ++i) {
    const Napi::Value array = arrays[static_cast<std::uint32_t>(i)];
    if (array.IsUndefined() && !model.padding.inputs.empty() && model.padding.inputs[i].isMask) {
      request->inputs.emplace_back();
      continue;
    }
    auto tensor = toTensor(signature.inputs[i], array, std::move(shapes.value()[i]));
    if (!tensor.ok()) {
      return std::move(tensor).error();
    }
    request->inputs.push_back(std::move(tensor).value());
  }
  if (model.queue.limits().batchable) {
    if (auto measured = measure(*request, signature, model.padding); !measured.ok()) {
      return std::move(measured).error();
    }
  }
  return request;
}

// 0 is no deadline.
TimeNs deadlineOf(const Napi::Value& fromNowMs) {
  const double ms = fromNowMs.As<Napi::Number>().DoubleValue();
  return ms > 0 ? SteadyClock().now() + static_cast<TimeNs>(ms * static_cast<double>(kMillisecond))
                : kNever;
}

std::size_t sizeOf(const Napi::Value& value) {
  return static_cast<std::size_t>(value.As<Napi::Number>().Int64Value());
}

// What calls with a body have in common: (id, body, deadlineMs, ...); `timed`: which says whether
// times are wanted.
JsonCall callOf(const Napi::CallbackInfo& info, std::size_t timed) {
  return {.id = static_cast<std::uint64_t>(info[0].As<Napi::Number>().Int64Value()),
          .arrived = SteadyClock().now(),
          .deadline = deadlineOf(info[2]),
          .timed = info[timed].As<Napi::Boolean>().Value(),
          .options = {},
          .v2 = {}};
}

// `form`: the forms that are taken in its low byte, the format of the answer above it.
codec::JsonOptions toJsonOptions(const Napi::Value& form, const Napi::Value& maxResponseBytes) {
  constexpr std::uint32_t kFormBits = 8;
  const std::uint32_t bits = form.As<Napi::Number>().Uint32Value();
  return {
      .forms = bits & ((1U << kFormBits) - 1U),
      .maxResponseBytes = sizeOf(maxResponseBytes),
      .answer = static_cast<codec::Format>(bits >> kFormBits),
  };
}

}  // namespace

Napi::Function ModelWrap::define(Napi::Env env) {
  return DefineClass(
      env, "NativeModel",
      {InstanceMethod<&ModelWrap::submit>("submit"), InstanceMethod<&ModelWrap::cancel>("cancel"),
       InstanceMethod<&ModelWrap::describe>("describe"),
       InstanceMethod<&ModelWrap::submitJson>("submitJson"),
       InstanceMethod<&ModelWrap::submitV2>("submitV2"), InstanceMethod<&ModelWrap::info>("info"),
       InstanceMethod<&ModelWrap::lanes>("lanes"), InstanceMethod<&ModelWrap::stats>("stats"),
       InstanceMethod<&ModelWrap::scale>("scale"), InstanceMethod<&ModelWrap::close>("close")});
}

Napi::Object ModelWrap::wrap(Napi::Env env, ModelHandle handle) {
  Environment& environment = Environment::of(env);
  const Napi::Object object = environment.modelConstructor.New({});
  ModelWrap* const self = Unwrap(object);
  self->handle_ = std::move(handle);
  self->environment_ = &environment;
  self->number_ = environment.add(self);
  return object;
}

ModelWrap::ModelWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ModelWrap>(info) {}

ModelWrap::~ModelWrap() {
  if (environment_ != nullptr) {
    environment_->flush();  // what it staged points to this
    environment_->remove(number_);
  }
}

void ModelWrap::end(const ReplyChannel* channel) {
  environment_ = nullptr;
  if (handle_) {
    Scheduler::abandon(*handle_, channel);
    handle_.release([] {});
  }
}

void ModelWrap::requireOpen(Napi::Env env) const {
  if (!handle_) {
    throw toJsError(env, {ErrorCode::kClosed, "the model is closed", {}});
  }
}

// submit(id, data, shapes, deadlineMs[, maxResponseBytes, form, timed]): see lib/binding.ts.
Napi::Value ModelWrap::submit(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return atEntry(env, [&]() -> Napi::Value {
    requireOpen(env);
    environment_->requireRoom(env, this);
    // Reading the elements of an array may run the caller's code, which may close this handle.
    const std::shared_ptr<ServedModel> model = handle_.model();
    auto request = orThrow(env, readRequest(*model, info[1], info[2]));
    requireOpen(env);
    request->id = static_cast<std::uint64_t>(info[0].As<Napi::Number>().Int64Value());
    request->channel = environment_->completion(env);
    request->deadline = deadlineOf(info[3]);
    if (info.Length() > 4) {
      const codec::JsonOptions options = toJsonOptions(info[5], info[4]);
      request->encoded = codec::makeAnswer(schema_, {.form = codec::kTensors}, options.answer,
                                           options.maxResponseBytes);
      request->encoded->timed = info[6].As<Napi::Boolean>().Value();
    }
    environment_->stage(this, std::move(request));
    return env.Undefined();
  });
}

// describe(description): what submitJson() takes; see lib/binding.ts.
Napi::Value ModelWrap::describe(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return atEntry(env, [&]() -> Napi::Value {
    requireOpen(env);
    schema_ = toSchema(*handle_, info[0].As<Napi::Object>());
    return env.Undefined();
  });
}

// submitJson(id, body, deadlineMs, maxResponseBytes, form, timed): see lib/binding.ts.
Napi::Value ModelWrap::submitJson(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return atEntry(env, [&]() -> Napi::Value {
    requireOpen(env);
    JsonCall call = callOf(info, 5);
    call.options = toJsonOptions(info[4], info[3]);
    return submitBody(info, call);
  });
}

// submitV2(id, body, deadlineMs, maxResponseBytes, headerBytes, timed): see lib/binding.ts.
Napi::Value ModelWrap::submitV2(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return atEntry(env, [&]() -> Napi::Value {
    requireOpen(env);
    JsonCall call = callOf(info, 5);
    call.v2 = codec::V2Options{.headerBytes = std::nullopt, .maxResponseBytes = sizeOf(info[3])};
    if (!info[4].IsUndefined()) {
      call.v2->headerBytes = sizeOf(info[4]);
    }
    return submitBody(info, call);
  });
}

// Reads info[1], or has it read. The milliseconds in which the request itself asks for an answer;
// undefined when it does not, or is not read yet.
Napi::Value ModelWrap::submitBody(const Napi::CallbackInfo& info, const JsonCall& call) {
  const Napi::Env env = info.Env();
  environment_->requireRoom(env, this);
  const auto [body, isShared] = orThrow(env, bytesOf(info[1]));
  if (readBytes(body, *schema_, call) > kMostReadHere) {
    const auto large = std::make_shared<LargeBody>();
    large->model = handle_.model();
    large->schema = schema_;
    large->bytes = body;
    large->call = call;
    environment_->readLater(large);
    return env.Undefined();
  }
  // The reader goes over the text more than once and relies on what it has seen.
  const std::string copy(isShared ? body : std::string_view());
  auto read = readJsonRequest(*handle_, schema_, isShared ? std::string_view(copy) : body, call);
  if (!read.ok()) {
    handle_->metrics.failed(read.error().code);
  }
  auto request = orThrow(env, std::move(read));
  request->channel = environment_->completion(env);
  const TimeNs deadline = request->deadline;
  environment_->stage(this, std::move(request));
  if (deadline == call.deadline) {
    return env.Undefined();
  }
  constexpr auto kPerMillisecond = static_cast<double>(kMillisecond);
  return Napi::Number::New(env, static_cast<double>(deadline - call.arrived) / kPerMillisecond);
}

// cancel(ids, late): the answers come as INFER_DEADLINE when `late`, else as INFER_CANCELLED.
Napi::Value ModelWrap::cancel(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return atEntry(env, [&]() -> Napi::Value {
    if (!handle_) {
      return env.Undefined();
    }
    const auto listed = info[0].As<Napi::Array>();
    std::vector<std::uint64_t> ids(listed.Length());
    for (std::uint32_t i = 0; i < ids.size(); ++i) {
      ids[i] = static_cast<std::uint64_t>(listed.Get(i).As<Napi::Number>().Int64Value());
    }
    const Error error =
        info[1].ToBoolean()
            ? Error{ErrorCode::kDeadline, "the deadline passed before the answer was ready", {}}
            : Error{ErrorCode::kCancelled, "the request was cancelled", {}};
    environment_->flush();
    environment_->cancelReading(ids, error);
    environment_->scheduler().cancel(*handle_, environment_->completion(env), std::move(ids),
                                     error);
    return env.Undefined();
  });
}

Napi::Value ModelWrap::info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return atEntry(env, [&]() -> Napi::Value {
    requireOpen(env);
    const ServedModel& model = *handle_;
    const Napi::Object out = toJs(env, model.signature).As<Napi::Object>();
    const Limits& limits = model.queue.limits();
    const Napi::Array devices = Napi::Array::New(env, 1);
    devices.Set(0U, Napi::String::New(env, model.origin.device.name));
    out.Set("engine", Napi::String::New(env, model.origin.engine));
    out.Set("devices", devices);
    out.Set("number", number_);
    out.Set("batchable", limits.batchable);
    out.Set("maxBatch", static_cast<double>(limits.maxBatch));
    return out;
  });
}

// lanes(): the core of each, -1 for one that is not pinned.
Napi::Value ModelWrap::lanes(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return atEntry(env, [&]() -> Napi::Value {
    requireOpen(env);
    const Napi::Array cores = Napi::Array::New(env);
    for (const Lane* lane : handle_->lanes.all()) {
      cores.Set(cores.Length(), lane->core().value_or(-1));
    }
    return cores;
  });
}

Napi::Value ModelWrap::stats(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return atEntry(env, [&]() -> Napi::Value {
    requireOpen(env);
    const Napi::Object out = toJs(env, handle_->metrics).As<Napi::Object>();
    out.Set("queueDepth", static_cast<double>(handle_->queue.depth()));
    out.Set("inFlight", static_cast<double>(handle_->queue.running()));
    return out;
  });
}

// scale({ lanes, cores }): a promise that settles when the model is on its new lanes.
Napi::Value ModelWrap::scale(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return atEntry(env, [&]() -> Napi::Value {
    requireOpen(env);
    const Placement placement = toPlacement(info[0].As<Napi::Object>());
    requireOpen(env);  // reading may have run the caller's code
    const std::shared_ptr<Completion> completion = environment_->completion(env);
    const auto [id, promise] = environment_->promise(env);
    completion->expect(1);
    environment_->scheduler().scale(
        handle_.model(), placement, [completion, id](const Result<void>& scaled) {
          completion->post([completion, id, scaled](Napi::Env js) {
            completion->settled(1);
            if (scaled.ok()) {
              Environment::of(js).resolve(id, js.Undefined());
            } else {
              Environment::of(js).reject(id, toJsError(js, scaled.error()).Value());
            }
          });
        });
    return promise;
  });
}

// close(): a promise that settles when this handle's share is given back and, if it was the last
// one, the model's memory is free.
Napi::Value ModelWrap::close(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return atEntry(env, [&]() -> Napi::Value {
    if (!handle_) {
      const auto deferred = Napi::Promise::Deferred::New(env);
      deferred.Resolve(env.Undefined());
      return deferred.Promise();
    }
    Environment& environment = *environment_;
    // What may fail comes first: until then the handle stays open and known.
    environment.flush();
    const Environment::Promised promised = environment.promise(env);
    const std::shared_ptr<Completion> completion = environment.completion(env);
    std::function<void()> freed = [completion, id = promised.id] {
      completion->post([completion, id](Napi::Env js) {
        completion->settled(1);
        Environment::of(js).resolve(id, js.Undefined());
      });
    };
    environment_ = nullptr;
    environment.remove(number_);
    completion->expect(1);
    handle_.release(std::move(freed));
    return promised.promise;
  });
}

}  // namespace infer::addon
