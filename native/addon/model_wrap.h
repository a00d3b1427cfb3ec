// SPDX-License-Identifier: Apache-2.0
// The handle of a loaded model that JS sees: requests in three forms, what it is, scale, close.
// Threads: js, of the environment that loaded it. Collected without close(), it gives its share
// back.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>

#include "native/addon/json_call.h"
#include "native/base/request.h"
#include "native/codec/schema.h"
#include "native/scheduler/scheduler.h"
#include "native/scheduler/served_model.h"

namespace infer::addon {

class Environment;

class ModelWrap final : public Napi::ObjectWrap<ModelWrap> {
 public:
  static Napi::Function define(Napi::Env env);
  // A JS object around `handle`.
  static Napi::Object wrap(Napi::Env env, ModelHandle handle);

  explicit ModelWrap(const Napi::CallbackInfo& info);  // for wrap()
  ~ModelWrap() override;

  ServedModel& served() const { return *handle_; }

  // The environment ends: its requests are forgotten, and nothing of it is used afterwards.
  void end(const ReplyChannel* channel);

 private:
  Napi::Value submit(const Napi::CallbackInfo& info);
  Napi::Value describe(const Napi::CallbackInfo& info);
  Napi::Value submitJson(const Napi::CallbackInfo& info);
  Napi::Value submitV2(const Napi::CallbackInfo& info);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  Napi::Value info(const Napi::CallbackInfo& info);
  Napi::Value lanes(const Napi::CallbackInfo& info);
  Napi::Value stats(const Napi::CallbackInfo& info);
  Napi::Value scale(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  Napi::Value submitBody(const Napi::CallbackInfo& info, const JsonCall& call);
  void requireOpen(Napi::Env env) const;

  ModelHandle handle_;                           // empty once closed
  std::int32_t number_ = 0;                      // of flat requests; see Environment::add()
  std::shared_ptr<const codec::Schema> schema_;  // null before describe()
  Environment* environment_ = nullptr;           // null once closed or ended
};

}  // namespace infer::addon
