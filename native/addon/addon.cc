// SPDX-License-Identifier: Apache-2.0
// Module entry: what lib/binding.ts can call.
// Threads: js; initialised once per JS environment.
#include <napi.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "native/addon/completion.h"
#include "native/addon/convert.h"
#include "native/addon/environment.h"
#include "native/addon/exit_limit.h"
#include "native/addon/js_error.h"
#include "native/addon/model_wrap.h"
#include "native/base/error.h"
#include "native/engine/registry.h"
#include "native/scheduler/scheduler.h"

namespace infer::addon {
namespace {

Napi::Value start(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return atEntry(env, [&]() -> Napi::Value {
    const Receiver receiver{.completed = info[0].As<Napi::Function>(),
                            .log = info[1].As<Napi::Function>(),
                            .answers = info[3].As<Napi::ArrayBuffer>()};
    Environment::of(env).start(env, receiver, info[2].As<Napi::ArrayBuffer>());
    return env.Undefined();
  });
}

// How long the end of the process waits for runs that are told to stop, and for loads. An engine
// stops between two operators of a model, and some operators take minutes.
constexpr std::chrono::milliseconds kExitLimit{1000};

// stop(code): the process is about to exit with `code`; nothing of this environment may be used
// afterwards.
Napi::Value stop(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return atEntry(env, [&]() -> Napi::Value {
    const ExitLimit limit(kExitLimit, info[0].As<Napi::Number>().Int32Value());
    Environment::of(env).end();
    return env.Undefined();
  });
}

Napi::Value flush(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return atEntry(env, [&]() -> Napi::Value {
    Environment& environment = Environment::of(env);
    const std::shared_ptr<Completion> completion = environment.completion(env);
    completion->hold();
    try {
      environment.flush(info[0].ToBoolean() ? Scheduler::Where::kHere : Scheduler::Where::kLane);
    } catch (...) {
      completion->release();
      throw;
    }
    completion->handOver(env);
    return env.Undefined();
  });
}

Napi::Value devices(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return atEntry(env, [&]() -> Napi::Value {
    const Napi::Object out = toJs(env, Environment::of(env).scheduler().budget());
    const Napi::Array engines = Napi::Array::New(env);
    for (const EngineReport& report : Registry::process().report(toCandidates(info[0]))) {
      engines.Set(engines.Length(), toJs(env, report));
    }
    out.Set("engines", engines);
    return out;
  });
}

// load(request): a promise of a NativeModel; see lib/binding.ts.
Napi::Value load(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return atEntry(env, [&]() -> Napi::Value {
    Environment& environment = Environment::of(env);
    const auto request = info[0].As<Napi::Object>();
    std::string engine;
    LoadSpec spec = toLoadSpec(request, engine);
    spec.engine = [engine, candidates = toCandidates(request.Get("libraries"))] {
      return Registry::process().engine(engine, candidates);
    };
    const std::shared_ptr<Completion> completion = environment.completion(env);
    const auto [id, promise] = environment.promise(env);
    completion->expect(1);
    environment.scheduler().load(spec, [completion, id](Result<ModelHandle> loaded) {
      // Shared only because std::function copies what it holds; dropped unseen, it gives the model
      // back.
      const auto result = std::make_shared<Result<ModelHandle>>(std::move(loaded));
      completion->post([completion, id, result](Napi::Env js) {
        completion->settled(1);
        if (result->ok()) {
          Environment::of(js).resolve(id, ModelWrap::wrap(js, std::move(*result).value()));
        } else {
          Environment::of(js).reject(id, toJsError(js, result->error()).Value());
        }
      });
    });
    return promise;
  });
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(
      std::make_unique<Environment>(env).release());  // Node deletes it with the environment
  Environment::of(env).modelConstructor = Napi::Persistent(ModelWrap::define(env));
  exports["start"] = Napi::Function::New(env, start);
  exports["flush"] = Napi::Function::New(env, flush);
  exports["stop"] = Napi::Function::New(env, stop);
  exports["devices"] = Napi::Function::New(env, devices);
  exports["load"] = Napi::Function::New(env, load);
  return exports;
}

}  // namespace

NODE_API_MODULE(inference_native, initialise)

}  // namespace infer::addon
