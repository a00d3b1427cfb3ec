// SPDX-License-Identifier: Apache-2.0
// State of one JS environment (the main thread or a worker): its way back, its models, what it has
// staged. Threads: js, of that environment. The scheduler is shared by all environments of the
// process; the last one to end stops it.
#pragma once

#include <napi.h>

#include <memory>
#include <unordered_set>
#include <vector>

#include "native/addon/completion.h"
#include "native/base/request.h"
#include "native/scheduler/scheduler.h"

namespace infer::addon {

class ModelWrap;

class Environment {
 public:
  explicit Environment(Napi::Env env);
  static Environment& of(Napi::Env env);

  // The scheduler of the process, made by the first environment that needs it.
  Scheduler& scheduler();
  // Throws a JS error before start().
  const std::shared_ptr<Completion>& completion(Napi::Env env) const;

  void start(Napi::Env env, Napi::Function completed, Napi::Function log);

  // Keeps a request until flush(), so that a burst of calls costs one lock and one wake-up.
  void stage(ModelWrap* model, std::unique_ptr<Request> request);
  void flush(Scheduler::Where where = Scheduler::Where::kLane);

  Napi::FunctionReference modelConstructor;
  std::unordered_set<ModelWrap*> models;  // open ones; each removes itself

 private:
  struct Staged {
    ModelWrap* model;
    std::unique_ptr<Request> request;
  };
  static void onEnd(void* self);

  std::shared_ptr<Scheduler> scheduler_;    // shared with the other environments
  std::shared_ptr<Completion> completion_;  // shared with the requests in flight
  std::vector<Staged> staged_;
};

}  // namespace infer::addon
