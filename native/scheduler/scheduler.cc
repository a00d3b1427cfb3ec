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
#include <iterator>
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
#include "native/scheduler/load_rules.h"
#include "native/scheduler/node_copies.h"
#include "native/scheduler/placement.h"
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

// One that took this long was no micro run, whatever was expected: the next one comes only after
// the pause.
constexpr TimeNs kSlowHere = 10 * kMicroRun;
constexpr TimeNs kPauseHere = 1000 * kMillisecond;

// Files of this size take long enough to load that others should not wait for them.
constexpr std::uintmax_t kBigFile = std::uintmax_t{32} * 1024 * 1024;

bool isBig(const ModelFile& file) {
  std::error_code failure;
  const std::uintmax_t size = std::filesystem::file_size(file.path, failure);
  return !failure && size >= kBigFile;
}

Error cannotLoad(const LoadSpec& spec, const std::exception& failure) {
  return {ErrorCode::kInternal, spec.file.path + ": cannot be loaded: " + failure.what(), {}};
}

}  // namespace

Scheduler::Scheduler(std::vector<int> allowed, CpuBudget budget, const Clock& clock,
                     StartThread start)
    : allowed_(std::move(allowed)),
      budget_(std::move(budget)),
      clock_(clock),
      start_(std::move(start)),
      bigLoads_(static_cast<std::size_t>(std::max(budget_.lanes, 1)), start_),
      smallLoads_(static_cast<std::size_t>(std::max(budget_.lanes, 1)), start_),
      desk_(1, start_),
      frees_(1, start_) {
  for (int i = 0; i < budget_.lanes; ++i) {
    const std::optional<int> core =
        budget_.pin ? std::optional(budget_.cores[static_cast<std::size_t>(i)]) : std::nullopt;
    slots_.push_back(std::make_unique<Slot>(Slot{core, nullptr}));
  }
}

Scheduler::~Scheduler() {
  desk_.stop();  // the jobs of all four use the lanes
  bigLoads_.stop();
  smallLoads_.stop();
  frees_.stop();
  for (const auto& slot : slots_) {
    if (slot->lane) {
      slot->lane->stop();
    }
  }
  for (const auto& slot : slots_) {
    if (slot->lane) {
      slot->lane->join();
    }
  }
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
  Loader::Job job = [model = std::move(model), freed = std::move(freed)]() mutable {
    fail(*model, model->queue.close(), {ErrorCode::kClosed, "the model was closed", {}});
    for (Lane* lane : model->lanes) {
      lane->remove(model.get());
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
  if (taken > 0 && !(where == Where::kHere && runHere(model))) {
    std::ranges::any_of(model.lanes, [](Lane* lane) { return lane->wakeIfIdle(); });
  }
  answer(model, std::move(requests));
}

// Only for models whose cost no data can change: the caller's thread is an event loop. True when
// nothing is left for a lane.
bool Scheduler::runHere(ServedModel& model) {
  const TimeNs started = clock_.now();
  const RunCost cost = model.estimate.cost();
  if (!cost.steady || started < model.hereFrom.load(std::memory_order_relaxed)) {
    return false;
  }
  Taken batch;
  Queue::TakeResult taken =
      model.queue.take(batch, started, Measured{.cost = cost, .budget = kMicroRun});
  fail(model, std::move(taken.expired), lateInQueue());
  if (!batch.requests.empty()) {
    runBatch(model, batch, clock_);
    const TimeNs now = clock_.now();
    if (now - started > kSlowHere) {
      model.hereFrom.store(now + kPauseHere, std::memory_order_relaxed);
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
    replies.push_back({id, error});
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

Result<std::shared_ptr<ServedModel>> Scheduler::loadSafely(const LoadSpec& spec, Engine& engine) {
  try {
    return loadNow(spec, engine);
  } catch (const std::exception& failure) {  // std::bad_alloc: the warm-up of a huge fixed shape
    return cannotLoad(spec, failure);
  }
}

Result<std::shared_ptr<ServedModel>> Scheduler::loadNow(const LoadSpec& spec, Engine& engine) {
  auto lanes = lanesFor(spec.placement);
  if (!lanes.ok()) {
    return std::move(lanes).error();
  }
  std::vector<int> cores;
  for (const Lane* lane : lanes.value()) {
    if (const auto core = lane->core()) {
      cores.push_back(*core);
    }
  }
  auto loaded = loadOnNodes(spec, engine, budget_.topology, cores);
  if (!loaded.ok()) {
    return std::move(loaded).error();
  }
  std::shared_ptr<LoadedModel> model = std::move(loaded).value();
  auto limits = resolveLimits(spec.limits, model->signature());
  if (!limits.ok()) {
    return std::move(limits).error();
  }
  auto served = std::make_shared<ServedModel>(std::move(model), std::string(engine.name()),
                                              spec.device, limits.value());
  served->lanes = std::move(lanes).value();
  for (Lane* lane : served->lanes) {
    lane->place(served);
  }
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

Result<std::vector<Lane*>> Scheduler::lanesFor(const Placement& placement) {
  const std::lock_guard lock(mutex_);
  if (!placement.cores.empty()) {
    return lanesOnCores(placement.cores);
  }
  const std::size_t wanted =
      placement.lanes == 0 ? static_cast<std::size_t>(budget_.lanes) : placement.lanes;
  if (wanted > std::max<std::size_t>(allowed_.size(), 1)) {
    return Error{ErrorCode::kBadInput,
                 "placement.lanes: expected at most the " + std::to_string(allowed_.size()) +
                     " cores this process may use, got " + std::to_string(wanted),
                 {}};
  }
  for (const int core : budget_.cores) {
    const auto isCore = [core](const auto& slot) { return slot->core == core; };
    if (slots_.size() < wanted && std::ranges::none_of(slots_, isCore)) {
      slots_.push_back(
          std::make_unique<Slot>(Slot{budget_.pin ? std::optional(core) : std::nullopt, nullptr}));
    }
  }
  std::vector<Lane*> lanes;
  for (Slot* slot : leastLoaded(wanted)) {
    lanes.push_back(laneOf(*slot));
  }
  return lanes;
}

Result<std::vector<Lane*>> Scheduler::lanesOnCores(const std::vector<int>& cores) {
  std::vector<Lane*> lanes;
  for (const int core : cores) {
    if (std::ranges::find(allowed_, core) == allowed_.end()) {
      std::string known;
      for (const int id : allowed_) {
        known += (known.empty() ? "" : ", ") + std::to_string(id);
      }
      return Error{ErrorCode::kBadInput,
                   "placement.cores: core " + std::to_string(core) +
                       " is not one this process may use; it may use " + known,
                   {}};
    }
    const auto isCore = [core](const auto& slot) { return slot->core == core; };
    auto at = std::ranges::find_if(slots_, isCore);
    if (at == slots_.end()) {
      slots_.push_back(std::make_unique<Slot>(Slot{core, nullptr}));
      at = std::prev(slots_.end());
    }
    lanes.push_back(laneOf(**at));
  }
  return lanes;
}

Lane* Scheduler::laneOf(Slot& slot) {
  if (!slot.lane) {
    slot.lane = std::make_unique<Lane>(slot.core, clock_, start_);
  }
  return slot.lane.get();
}

std::vector<Scheduler::Slot*> Scheduler::leastLoaded(std::size_t wanted) {
  // The default lanes come first in slots_; lanes of explicitly asked cores only when those are not
  // enough.
  const std::size_t candidates = std::max(wanted, static_cast<std::size_t>(budget_.lanes));
  std::vector<LaneLoad> loads;
  for (std::size_t i = 0; i < std::min(candidates, slots_.size()); ++i) {
    const Slot& slot = *slots_[i];
    loads.push_back({.node = slot.core ? budget_.topology.nodeOf(*slot.core) : 0,
                     .models = slot.lane ? slot.lane->modelCount() : 0});
  }
  std::vector<Slot*> slots;
  for (const std::size_t at : chooseLanes(loads, wanted)) {
    slots.push_back(slots_[at].get());
  }
  return slots;
}

}  // namespace infer
