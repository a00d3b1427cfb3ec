// SPDX-License-Identifier: Apache-2.0
// Start and end of a JS environment, and the staging of its requests.
#include "native/addon/environment.h"

#include <napi.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "native/addon/completion.h"
#include "native/addon/flat.h"
#include "native/addon/js_error.h"
#include "native/addon/json_call.h"
#include "native/addon/model_wrap.h"
#include "native/base/affinity.h"
#include "native/base/clock.h"
#include "native/base/cpu_budget.h"
#include "native/base/error.h"
#include "native/base/log.h"
#include "native/base/request.h"
#include "native/scheduler/admission.h"
#include "native/scheduler/loader.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/scheduler.h"
#include "native/scheduler/served_model.h"

namespace infer::addon {
namespace {

// What one flush may spend on runs of micro models before the rest goes to lanes.
constexpr TimeNs kMostHere = 200'000;

const SteadyClock& steadyClock() {
  // Never destroyed: a lane's thread that was left to a hung run may ask while the process exits.
  static const SteadyClock& clock = *std::make_unique<const SteadyClock>().release();
  return clock;
}

std::shared_ptr<Scheduler> processScheduler() {
  static std::mutex mutex;
  static std::weak_ptr<Scheduler> shared;  // guarded by mutex
  const std::lock_guard lock(mutex);
  auto scheduler = shared.lock();
  if (!scheduler) {
    auto cores = allowedCores();
    std::vector<int> allowed = cores.ok() ? std::move(cores).value() : std::vector<int>{};
    CpuBudget budget = planLanes(allowed);
    for (const std::string& problem : budget.problems) {
      Log::process().write({LogLevel::kWarn, "scheduler", problem});
    }
    scheduler = std::make_shared<Scheduler>(std::move(allowed), std::move(budget), steadyClock());
    shared = scheduler;
  }
  return scheduler;
}

// As many as there are lanes: reading keeps them fed.
std::shared_ptr<Loader> processReaders(const CpuBudget& budget) {
  static std::mutex mutex;
  static std::weak_ptr<Loader> shared;  // guarded by mutex
  const std::lock_guard lock(mutex);
  auto readers = shared.lock();
  if (!readers) {
    readers = std::make_shared<Loader>(static_cast<std::size_t>(std::max(budget.lanes, 1)));
    shared = readers;
  }
  return readers;
}

// How many rows a body has is not known before it has been read; it has one at least.
Load unreadOf(const ServedModel& model) {
  const std::size_t requests = model.unread.load(std::memory_order_relaxed);
  return {.requests = requests,
          .rows = static_cast<std::int64_t>(requests),
          .bytes = model.unreadBytes.load(std::memory_order_relaxed)};
}

// thread: reader.
Result<std::unique_ptr<Request>> readBody(const LargeBody& body) {
  if (steadyClock().now() >= body.call.deadline) {
    return Error{ErrorCode::kDeadline, "the deadline passed before the body was read", {}};
  }
  return readJsonRequest(*body.model, body.schema, body.bytes, body.call);
}

}  // namespace

Environment::Environment(Napi::Env /*env*/) {}

Environment& Environment::of(Napi::Env env) {
  return *env.GetInstanceData<Environment>();
}

Scheduler& Environment::scheduler() {
  if (!scheduler_) {
    scheduler_ = processScheduler();
  }
  return *scheduler_;
}

const std::shared_ptr<Completion>& Environment::completion(Napi::Env env) const {
  if (ended_) {
    throw toJsError(env, {ErrorCode::kClosed, "the process is about to exit", {}});
  }
  if (!completion_) {
    throw toJsError(env, {ErrorCode::kInternal, "start() must be called first", {}});
  }
  return completion_;
}

void Environment::start(Napi::Env env, const Receiver& receiver, Napi::ArrayBuffer requests) {
  if (completion_) {
    throw toJsError(env, {ErrorCode::kInternal, "start() was called before", {}});
  }
  completion_ = std::make_shared<Completion>(env, receiver);
  requests_.keep(requests);
  Log::process().add(completion_);
  promiseConstructor_ = Napi::Persistent(env.Global().Get("Promise").As<Napi::Function>());
  // After the thread-safe function, whose own hook then runs after ours: hooks run in reverse
  // order.
  napi_add_env_cleanup_hook(env, &Environment::onEnd, this);
}

void Environment::keepSettlers(const Napi::CallbackInfo& info) {
  auto& settlers = *static_cast<Settlers*>(info.Data());
  settlers.resolve = Napi::Persistent(info[0].As<Napi::Function>());
  settlers.reject = Napi::Persistent(info[1].As<Napi::Function>());
}

Environment::Promised Environment::promise(Napi::Env env) {
  Settlers settlers;  // filled before New() returns
  const auto executor = Napi::Function::New<&Environment::keepSettlers>(env, "settlers", &settlers);
  const Napi::Object made = promiseConstructor_.New({executor});
  const std::uint64_t id = nextPromise_++;
  promised_.emplace(id, std::move(settlers));
  return {id, made};
}

Environment::Settlers Environment::take(std::uint64_t id) {
  auto pending = promised_.extract(id);
  return std::move(pending.mapped());
}

void Environment::resolve(std::uint64_t id, Napi::Value value) {
  take(id).resolve.Call({value});
}

void Environment::reject(std::uint64_t id, Napi::Value reason) {
  take(id).reject.Call({reason});
}

void Environment::requireRoom(Napi::Env env, ModelWrap* model) {
  stageFlat();
  if (const auto full = refusal(model->served())) {
    throw toJsError(env, *full);
  }
}

std::optional<Error> Environment::refusal(ServedModel& model) {
  Load load = model.queue.waiting();
  load += stagedLoad_;
  load += unreadOf(model);
  if (!isFull(load, model.queue.limits())) {
    return {};  // counting what is staged for other models too only hands over a little earlier
  }
  handOver(Scheduler::Where::kLane);
  std::optional<Error> full = model.queue.full(unreadOf(model));
  if (full) {
    model.metrics.failed(full->code);
  }
  return full;
}

std::int32_t Environment::add(ModelWrap* model) {
  models_.emplace(nextModel_, model);
  return nextModel_++;
}

void Environment::stage(ModelWrap* model, std::unique_ptr<Request> request) {
  const Load load = loadOf(*request);
  staged_.push_back({model, std::move(request)});
  stagedLoad_ += load;
  completion_->expect(1);
}

void Environment::refuse(std::uint64_t id, Error error) {
  std::vector<Reply> refused;
  refused.push_back({.id = id, .result = std::move(error), .encoded = nullptr});
  completion_->deliver(std::move(refused));
  completion_->expect(1);
}

void Environment::stageFlat() {
  FlatReader records(requests_.bytes());
  while (const auto record = records.next()) {
    const auto model = models_.find(record->model);
    auto request = readFlat(*record, model == models_.end() ? nullptr : model->second);
    if (request.ok()) {
      stage(model->second, std::move(request).value());
    } else {
      refuse(record->id, std::move(request).error());
    }
  }
}

Result<std::unique_ptr<Request>> Environment::readFlat(const FlatRequest& record,
                                                       ModelWrap* model) {
  if (model == nullptr) {
    return Error{ErrorCode::kClosed, "the model is closed", {}};
  }
  if (auto full = refusal(model->served())) {
    return *std::move(full);
  }
  auto request = readFlatRequest(model->served(), record);
  if (request.ok()) {
    request.value()->channel = completion_;
  }
  return request;
}

void Environment::flush(Scheduler::Where where) {
  stageFlat();
  handOver(where);
}

void Environment::handOver(Scheduler::Where where) {
  std::vector<Staged> staged;
  staged.swap(staged_);
  stagedLoad_ = {};
  // Requests of one model go together, in the order of the calls. Models are few: mostly one.
  std::vector<std::pair<ModelWrap*, Requests>> groups;
  for (Staged& item : staged) {
    auto group = std::ranges::find(groups, item.model, &std::pair<ModelWrap*, Requests>::first);
    if (group == groups.end()) {
      group = groups.insert(group, {item.model, Requests()});
    }
    group->second.push_back(std::move(item.request));
  }
  const TimeNs begun = steadyClock().now();
  for (auto& [model, requests] : groups) {
    scheduler().submit(model->served(), std::move(requests), where);
    if (steadyClock().now() - begun > kMostHere) {
      where = Scheduler::Where::kLane;
    }
  }
}

void Environment::readLater(const std::shared_ptr<LargeBody>& body) {
  if (!readers_) {
    readers_ = processReaders(scheduler().budget());
  }
  Loader::Job job = [body, completion = completion_] {
    if (body->taken.exchange(true)) {
      return;
    }
    const auto read = std::make_shared<Result<std::unique_ptr<Request>>>(readBody(*body));
    body->drop();
    completion->post([id = body->call.id, read](Napi::Env js) {
      of(js).finishReading(js, id, std::move(*read));
    });
  };
  completion_->expect(1);
  body->model->unread.fetch_add(1, std::memory_order_relaxed);
  body->model->unreadBytes.fetch_add(body->bytes.size(), std::memory_order_relaxed);
  reading_.emplace(body->call.id, Reading{body, body->model, body->bytes.size()});
  if (!readers_->run(job).ok()) {
    job();  // no thread for it: then here
  }
}

void Environment::finishReading(Napi::Env env, std::uint64_t id,
                                Result<std::unique_ptr<Request>> read) {
  const std::shared_ptr<ServedModel> model = leaveReading(id);
  if (!model) {
    return;  // cancelled, and answered
  }
  if (!read.ok()) {
    model->metrics.failed(read.error().code);
    std::vector<Reply> replies;
    replies.push_back({.id = id, .result = std::move(read).error(), .encoded = nullptr});
    completion(env)->deliver(std::move(replies));
    return;
  }
  Requests one;
  one.push_back(std::move(read).value());
  one.back()->channel = completion(env);
  scheduler().submit(*model, std::move(one));
}

void Environment::cancelReading(std::span<const std::uint64_t> ids, const Error& error) {
  std::vector<Reply> replies;
  for (const std::uint64_t id : ids) {
    if (reading_.empty()) {
      break;
    }
    if (const std::shared_ptr<ServedModel> model = leaveReading(id)) {
      model->metrics.failed(error.code);
      replies.push_back({.id = id, .result = error, .encoded = nullptr});
    }
  }
  if (!replies.empty()) {
    completion_->deliver(std::move(replies));
  }
}

std::shared_ptr<ServedModel> Environment::leaveReading(std::uint64_t id) {
  auto left = reading_.extract(id);
  if (left.empty()) {
    return nullptr;
  }
  const auto& [body, model, bytes] = left.mapped();
  if (!body->taken.exchange(true)) {
    body->drop();
  }
  model->unread.fetch_sub(1, std::memory_order_relaxed);
  model->unreadBytes.fetch_sub(bytes, std::memory_order_relaxed);
  return model;
}

void Environment::onEnd(void* self) {
  auto& environment = *static_cast<Environment*>(self);
  environment.staged_.clear();
  environment.requests_.drop();
  while (!environment.reading_.empty()) {
    environment.leaveReading(environment.reading_.begin()->first)
        ->metrics.failed(ErrorCode::kCancelled);
  }
  environment.ended_ = true;
  if (environment.completion_) {
    environment.completion_->close();
  }
  const auto models = std::exchange(environment.models_, {});
  // Each forgets its own requests, in any order.
  for (const auto& [number, model] : models) {
    model->end(environment.completion_.get());
  }
  environment.modelConstructor.Reset();
  environment.promiseConstructor_.Reset();
  environment.promised_.clear();
  // The last environment joins the lanes and readers here: nothing runs once the process starts to
  // take itself apart.
  environment.readers_.reset();
  environment.scheduler_.reset();
}

}  // namespace infer::addon
