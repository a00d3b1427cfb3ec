// SPDX-License-Identifier: Apache-2.0
// State of one JS environment (the main thread or a worker): its way back, its models, what it has
// staged. Threads: js, of that environment. The scheduler is shared by all environments of the
// process; the last one to end stops it.
#pragma once

#include <napi.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "native/addon/completion.h"
#include "native/addon/flat.h"
#include "native/addon/json_call.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/codec/schema.h"
#include "native/scheduler/admission.h"
#include "native/scheduler/loader.h"
#include "native/scheduler/scheduler.h"
#include "native/scheduler/served_model.h"

namespace infer::addon {

class ModelWrap;

// A JSON body that is too large to be read on the JS thread. The bytes are a copy. Shared by the
// environment, which may give it up, and by the job of a reader: model and bytes belong to whoever
// sets `taken` first.
struct LargeBody {
  std::shared_ptr<ServedModel> model;
  std::shared_ptr<const codec::Schema> schema;
  std::string bytes;
  JsonCall call;
  std::atomic<bool> taken{false};  // sequentially consistent

  // For whoever has taken it: frees what it holds.
  void drop() {
    model.reset();
    bytes = std::string();
  }
};

class Environment {
 public:
  explicit Environment(Napi::Env env);
  static Environment& of(Napi::Env env);

  // The scheduler of the process, made by the first environment that needs it.
  Scheduler& scheduler();
  // Throws a JS error before start().
  const std::shared_ptr<Completion>& completion(Napi::Env env) const;

  // `requests`: where JS writes flat requests.
  void start(Napi::Env env, const Receiver& receiver, Napi::ArrayBuffer requests);
  // The environment ends: what is in flight is forgotten, and the last one of the process joins
  // lanes and loads. For process.exit(), which runs no cleanup hooks; the hook finds nothing left
  // to do.
  void end() { onEnd(this); }

  // A promise that resolve() or reject() concludes. One that is pending when the environment ends
  // leaves nothing behind, which a deferred of Node-API would.
  struct Promised {
    std::uint64_t id = 0;
    Napi::Value promise;
  };
  Promised promise(Napi::Env env);
  void resolve(std::uint64_t id, Napi::Value value);
  void reject(std::uint64_t id, Napi::Value reason);

  // Before the inputs of a request are copied: stages what came before it in the flat buffer, then
  // throws INFER_QUEUE_FULL, and counts it, when the model's queue would not take it together with
  // what is staged.
  void requireRoom(Napi::Env env, ModelWrap* model);

  // Keeps a request until flush(), so that a burst of calls costs one lock and one wake-up.
  void stage(ModelWrap* model, std::unique_ptr<Request> request);
  // Hands over what is staged, and what is in the flat buffer.
  void flush(Scheduler::Where where = Scheduler::Where::kLane);

  // Reads a body on another thread and then submits the request, or answers it with what was wrong.
  void readLater(const std::shared_ptr<LargeBody>& body);
  // Answers those of `ids` whose bodies are being read.
  void cancelReading(std::span<const std::uint64_t> ids, const Error& error);

  // Gives an open model the number that flat requests name it by.
  std::int32_t add(ModelWrap* model);
  void remove(std::int32_t number) { models_.erase(number); }

  Napi::FunctionReference modelConstructor;

 private:
  struct Staged {
    ModelWrap* model;
    std::unique_ptr<Request> request;
  };
  struct Settlers {
    Napi::FunctionReference resolve;
    Napi::FunctionReference reject;
  };
  // Between readLater() and the end of reading, or until nobody waits for it any more.
  struct Reading {
    std::shared_ptr<LargeBody> body;
    std::shared_ptr<ServedModel> model;
    std::size_t bytes;
  };
  // The error of a queue that would not take one more request; counted.
  std::optional<Error> refusal(ServedModel& model);
  // Answers a request that was not staged.
  void refuse(std::uint64_t id, Error error);
  void stageFlat();
  Result<std::unique_ptr<Request>> readFlat(const FlatRequest& record, ModelWrap* model);
  void handOver(Scheduler::Where where);
  void finishReading(Napi::Env env, std::uint64_t id, Result<std::unique_ptr<Request>> read);
  // Its model, or null when it is not being read. A body that no reader has begun with is freed.
  std::shared_ptr<ServedModel> leaveReading(std::uint64_t id);
  static void keepSettlers(const Napi::CallbackInfo& info);
  Settlers take(std::uint64_t id);
  static void onEnd(void* self);

  std::shared_ptr<Scheduler> scheduler_;    // shared with the other environments
  std::shared_ptr<Loader> readers_;         // of large bodies; shared with the other environments
  std::shared_ptr<Completion> completion_;  // shared with the requests in flight
  FlatBuffer requests_;                     // written by JS
  std::unordered_map<std::int32_t, ModelWrap*> models_;  // open ones; each removes itself
  std::int32_t nextModel_ = 1;
  std::vector<Staged> staged_;
  Load stagedLoad_;                                     // sum over staged_
  std::unordered_map<std::uint64_t, Reading> reading_;  // by the id of the request
  bool ended_ = false;
  Napi::FunctionReference promiseConstructor_;
  std::unordered_map<std::uint64_t, Settlers> promised_;  // pending ones, by id
  std::uint64_t nextPromise_ = 1;
};

}  // namespace infer::addon
