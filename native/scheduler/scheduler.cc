// SPDX-License-Identifier: Apache-2.0
// Loading, sharing and placing models; queueing their requests.
#include "native/scheduler/scheduler.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "native/base/clock.h"
#include "native/base/cpu_budget.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/engine/engine.h"
#include "native/scheduler/estimate.h"
#include "native/scheduler/lane.h"
#include "native/scheduler/lane_pool.h"
#include "native/scheduler/load_rules.h"
#include "native/scheduler/node_copies.h"
#include "native/scheduler/padding.h"
#include "native/scheduler/policy.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/run.h"
#include "native/scheduler/served_model.h"
#include "native/scheduler/start_thread.h"

namespace infer {
namespace {

// A run on the caller's thread may take this long: a hand-over to a lane and back costs about as
// much (bench/scenarios, "predict() one at a time").
constexpr TimeNs kMicroRun = 20'000;

// A request alone has nobody behind it whom its run could keep waiting, and pays for the lane's
// core to wake up too.
constexpr TimeNs kLoneRun = 50'000;

// A run that takes this long was no micro run, whatever was expected. The next one comes only after
// a multiple of its time: so much of the caller's time such runs may take at most.
constexpr TimeNs kSlowHere = 10 * kMicroRun;
constexpr TimeNs kPauseFactor = 10;

// Writing a long answer is part of no estimate, and takes as long the next time.
constexpr TimeNs kPauseAfterWriting = 1000 * kMillisecond;

// Files of this size take long enough to load that others should not wait for them.
constexpr std::uintmax_t kBigFile = std::uintmax_t{32} * 1024 * 1024;

bool isBig(const ModelFile& file) {
  std::error_code failure;
  const std::uintmax_t size = std::filesystem::file_size(file.path, failure);
  return !failure && size >= kBigFile;
}

std::size_t loadsAtOnce(const CpuBudget& budget) {
  return static_cast<std::size_t>(std::max(budget.lanes, 1));
}

Error cannotLoad(const LoadSpec& spec, const std::exception& failure) {
  return caught(failure, spec.file.path + ": cannot be loaded");
}

}  // namespace

Scheduler::Scheduler(std::vector<int> allowed, CpuBudget budget, const Clock& clock,
                     const ThreadRules& rules)
    : clock_(clock),
      lanes_(std::move(allowed), std::move(budget), clock, rules),
      bigLoads_(loadsAtOnce(lanes_.budget()), rules.start),
      smallLoads_(loadsAtOnce(lanes_.budget()), rules.start),
      desk_(1, rules.start),
      frees_(1, rules.start) {}

Scheduler::~Scheduler() {
  desk_.stop();  // the jobs of all four use the lanes
  bigLoads_.stop();
  smallLoads_.stop();
  frees_.stop();
}

ModelHandle::ModelHandle(Scheduler& scheduler, std::shared_ptr<ServedModel> model)
    : scheduler_(&scheduler), model_(std::move(model)) {}

ModelHandle& ModelHandle::operator=(ModelHandle&& other) noexcept {
  release([] {});
  scheduler_ = other.scheduler_;
  model_ = std::move(other.model_);
  return *this;
}

ModelHandle::~ModelHandle() {
  release([] {});
}

void ModelHandle::release(std::function<void()> freed) {
  if (model_) {
    scheduler_->release(std::move(model_), std::move(freed));
  } else {
    freed();
  }
}

void Scheduler::load(const LoadSpec& spec, const Loaded& done) {
  Loader::Job job = [this, spec, done] { join(spec, done); };
  if (auto taken = desk_.run(job); !taken.ok()) {
    done(std::move(taken).error());
  }
}

Result<Scheduler::Found> Scheduler::find(const LoadSpec& spec) {
  try {
    auto engine = spec.engine();
    if (!engine.ok()) {
      return std::move(engine).error();
    }
    std::string key = sharingKey(spec, engine.value()->name());
    return Found{std::move(engine).value(), std::move(key)};
  } catch (const std::exception& failure) {
    return cannotLoad(spec, failure);
  }
}

void Scheduler::join(const LoadSpec& spec, const Loaded& done) {
  auto found = find(spec);
  if (!found.ok()) {
    done(std::move(found).error());
    return;
  }
  const auto [engine, key] = std::move(found).value();
  std::shared_ptr<ServedModel> ready;
  bool fresh = false;
  {
    const std::lock_guard lock(mutex_);
    const auto [at, made] = entries_.try_emplace(key);
    fresh = made;
    Entry& entry = at->second;
    if (!entry.model) {
      entry.waiting.push_back(done);
    } else {
      ready = entry.model;
      ++entry.handles;
    }
  }
  if (ready) {
    done(ModelHandle(*this, std::move(ready)));
  } else if (fresh) {
    Loader& loads = isBig(spec.file) ? bigLoads_ : smallLoads_;
    Loader::Job job = [this, key, spec, engine] { finishLoad(key, loadSafely(spec, *engine)); };
    if (auto taken = loads.run(job); !taken.ok()) {
      finishLoad(key, std::move(taken).error());
    }
  }
}

void Scheduler::release(std::shared_ptr<ServedModel> model, std::function<void()> freed) {
  bool last = false;
  {
    const std::lock_guard lock(mutex_);
    const auto at = std::ranges::find_if(
        entries_, [&model](const auto& item) { return item.second.model == model; });
    if (at != entries_.end() && --at->second.handles == 0) {
      entries_.erase(at);
      last = true;
    }
  }
  if (!last) {
    freed();
    return;
  }
  Loader::Job job = [this, model = std::move(model), freed = std::move(freed)]() mutable {
    fail(*model, model->queue.close(), {ErrorCode::kClosed, "the model was closed", {}});
    {
      const std::lock_guard lock(placing_);
      move(model, {});
    }
    model.reset();  // frees it here, unless a run of abandoned requests is still in flight
    freed();
  };
  if (!frees_.run(job).ok()) {
    job();  // no thread for it: then here
  }
}

void Scheduler::submit(ServedModel& model, Requests requests, Where where) {
  const std::size_t offered = requests.size();
  model.queue.submit(requests, clock_.now(), model.estimate.cost());
  const std::size_t taken = offered - requests.size();
  model.metrics.accepted(taken);
  const bool isAlone = taken == 1 && model.queue.depth() == 1;
  const TimeNs budget = isAlone ? kLoneRun : kMicroRun;
  if (taken > 0 && !(where == Where::kHere && runHere(model, budget))) {
    wakeOne(model);
  }
  answer(model, std::move(requests));
}

// Only for models whose cost no data can change: the caller's thread is an event loop. True when
// nothing is left for a lane.
bool Scheduler::runHere(ServedModel& model, TimeNs budget) {
  const TimeNs started = clock_.now();
  const RunCost cost = model.estimate.cost();
  if (!cost.steady || started < model.hereFrom.load(std::memory_order_relaxed)) {
    return false;
  }
  Taken batch;
  Queue::TakeResult taken =
      model.queue.take(batch, started, Measured{.cost = cost, .budget = budget});
  fail(model, std::move(taken.expired), lateInQueue());
  if (!batch.requests.empty()) {
    runBatch(model, batch, clock_);
    const TimeNs ran = clock_.now();
    answerBatch(model, batch, clock_);
    const TimeNs now = clock_.now();
    if (now - started > kSlowHere) {
      const bool isLongAnswer = now - ran > kSlowHere;
      const TimeNs pause = isLongAnswer ? kPauseAfterWriting : kPauseFactor * (now - started);
      model.hereFrom.store(now + pause, std::memory_order_relaxed);
    }
  }
  return model.queue.depth() == 0;
}

void Scheduler::cancel(ServedModel& model, const std::shared_ptr<ReplyChannel>& channel,
                       std::vector<std::uint64_t> ids, const Error& error) {
  std::ranges::sort(ids);
  std::vector<Reply> replies;
  for (const std::uint64_t id : model.queue.cancel(channel.get(), ids)) {
    model.metrics.failed(error.code);
    replies.push_back({.id = id, .result = error, .encoded = nullptr});
  }
  if (!replies.empty()) {
    channel->deliver(std::move(replies));
  }
}

void Scheduler::abandon(ServedModel& model, const ReplyChannel* channel) {
  for (std::size_t left = model.queue.cancelAll(channel); left > 0; --left) {
    model.metrics.failed(ErrorCode::kCancelled);
  }
}

void Scheduler::scale(std::shared_ptr<ServedModel> model, const Placement& placement,
                      const Scaled& done) {
  Loader::Job job = [this, model = std::move(model), placement, done] {
    done(scaleNow(model, placement));
  };
  if (auto taken = frees_.run(job); !taken.ok()) {
    done(std::move(taken).error());
  }
}

Result<void> Scheduler::scaleNow(const std::shared_ptr<ServedModel>& model,
                                 const Placement& placement) {
  const std::lock_guard placing(placing_);
  {
    const std::lock_guard lock(mutex_);
    const auto isIt = [&model](const auto& item) { return item.second.model == model; };
    if (std::ranges::none_of(entries_, isIt)) {
      return Error{ErrorCode::kClosed, "the model was closed", {}};
    }
  }
  try {
    auto lanes = lanes_.choose(placement, model->lanes.all());
    if (!lanes.ok()) {
      return std::move(lanes).error();
    }
    move(model, lanes.value());
    return {};
  } catch (const std::exception& failure) {
    return caught(failure, model->origin.path + ": cannot be scaled");
  }
}

// New lanes serve the model before anybody counts on them, and old ones until nobody does. Then it
// may be that a request was left to one of those.
void Scheduler::move(const std::shared_ptr<ServedModel>& model, const std::vector<Lane*>& to) {
  const std::vector<Lane*> from = model->lanes.all();
  for (Lane* lane : to) {
    if (std::ranges::find(from, lane) == from.end()) {
      lane->place(model);
    }
  }
  model->lanes.set(to);
  for (Lane* lane : from) {
    if (std::ranges::find(to, lane) == to.end()) {
      lane->remove(model.get());
    }
  }
  if (model->queue.depth() > 0) {
    wakeOne(*model);
  }
}

Result<std::shared_ptr<ServedModel>> Scheduler::loadSafely(const LoadSpec& spec, Engine& engine) {
  try {
    return loadNow(spec, engine);
  } catch (const std::exception& failure) {  // std::bad_alloc: the warm-up of a huge fixed shape
    return cannotLoad(spec, failure);
  }
}

Result<std::shared_ptr<ServedModel>> Scheduler::loadNow(const LoadSpec& spec, Engine& engine) {
  auto lanes = lanes_.choose(spec.placement);
  if (!lanes.ok()) {
    return std::move(lanes).error();
  }
  std::vector<int> cores;
  for (const Lane* lane : lanes.value()) {
    if (const auto core = lane->core()) {
      cores.push_back(*core);
    }
  }
  auto loaded = loadOnNodes(spec, engine, lanes_.budget().topology, cores);
  if (!loaded.ok()) {
    return std::move(loaded).error();
  }
  std::shared_ptr<LoadedModel> model = std::move(loaded).value();
  auto limits = resolveLimits(spec.limits, model->signature());
  if (!limits.ok()) {
    return std::move(limits).error();
  }
  auto padding = resolvePadding(spec.padding, model->signature(), limits.value().batchable);
  if (!padding.ok()) {
    return std::move(padding).error();
  }
  const ModelOrigin origin{.engine = std::string(engine.name()),
                           .device = spec.device,
                           .path = spec.file.path,
                           .threadsPerRun = spec.file.threadsPerRun};
  auto served =
      std::make_shared<ServedModel>(std::move(model), origin, limits.value(), lanes_.most());
  served->padding = std::move(padding).value();
  move(served, lanes.value());
  return served;
}

void Scheduler::finishLoad(const std::string& key, Result<std::shared_ptr<ServedModel>> result) {
  std::vector<Loaded> waiting;
  {
    const std::lock_guard lock(mutex_);
    const auto at = entries_.find(key);
    waiting.swap(at->second.waiting);
    if (result.ok()) {
      at->second.model = result.value();
      at->second.handles = waiting.size();
    } else {
      entries_.erase(at);
    }
  }
  for (const Loaded& done : waiting) {
    if (result.ok()) {
      done(ModelHandle(*this, result.value()));
    } else {
      done(result.error());
    }
  }
}

}  // namespace infer
