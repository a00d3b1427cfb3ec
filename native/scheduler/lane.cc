// SPDX-License-Identifier: Apache-2.0
// The lane's loop: wait, take, pack, run, complete.
#include "native/scheduler/lane.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "native/base/affinity.h"
#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/log.h"
#include "native/scheduler/estimate.h"
#include "native/scheduler/policy.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/run.h"
#include "native/scheduler/served_model.h"
#include "native/scheduler/start_thread.h"
#include "native/scheduler/tenure.h"
#include "native/scheduler/turns.h"

namespace infer {
Lane::Lane(std::optional<int> core, const Clock& clock, StartThread start,
           std::function<void()> told)
    : core_(core),
      clock_(clock),
      start_(std::move(start)),
      told_(std::move(told)),
      models_(std::make_shared<const Models>()),
      tenure_(std::make_shared<Tenure>()),
      thread_(startLoop(tenure_, [this] {
        pinned_ = settleIn();
        settled_.count_down();
        return true;
      })) {
  settled_.wait();
}

Lane::~Lane() {
  stop();
  join();
}

void Lane::stop() {
  thread_.request_stop();
  {
    const std::lock_guard lock(mutex_);
    signalled_ = true;
  }
  wake_.notify_one();
}

void Lane::join(std::chrono::nanoseconds patience) {
  left_.push_back({std::move(thread_), tenure_});
  for (auto& [thread, tenure] : left_) {
    if (!thread.joinable()) {
      continue;
    }
    // One that was left to its run before has had its time.
    const bool ended = tenure->waitForEnd(tenure->isLost() ? std::chrono::nanoseconds{} : patience);
    if (!ended && (tenure->isLost() || tenure->giveUp(kNever - 1))) {
      thread.detach();
    } else {
      thread.join();
    }
  }
  left_.clear();
}

void Lane::replaceThread(TimeNs by) {
  const auto next = std::make_shared<Tenure>();
  std::promise<bool> decided;
  // Started before the old one is given up: there may be no thread to be had.
  std::jthread thread = startLoop(next, [this, go = decided.get_future().share()] {
    const bool goes = go.get();
    if (goes) {
      settleIn();
    }
    return goes;
  });
  const bool given = tenure_->giveUp(by);
  if (given) {
    left_.push_back({std::exchange(thread_, std::move(thread)), std::exchange(tenure_, next)});
    stuck_.store(false, std::memory_order_relaxed);
  }
  decided.set_value(given);
}

std::shared_ptr<ServedModel> Lane::overdue(TimeNs by) {
  std::shared_ptr<ServedModel> model = tenure_->overdue(by);
  if (model) {
    stuck_.store(true, std::memory_order_relaxed);
  }
  return model;
}

std::size_t Lane::lostThreads() {
  std::erase_if(left_, [](const Left& left) { return left.tenure->waitForEnd({}); });
  return left_.size();
}

std::jthread Lane::startLoop(const std::shared_ptr<Tenure>& tenure, std::function<bool()> settle) {
  return start_([this, tenure, settle = std::move(settle)](const std::stop_token& stop) {
    if (settle()) {
      loop(stop, *tenure);
    }
    tenure->ended();
  });
}

void Lane::place(const std::shared_ptr<ServedModel>& model) {
  const std::lock_guard lock(mutex_);
  auto changed = std::make_shared<Models>(*models_);
  changed->push_back({model, std::make_shared<Share>()});
  models_ = std::move(changed);
}

void Lane::remove(const ServedModel* model) {
  const std::lock_guard lock(mutex_);
  auto changed = std::make_shared<Models>(*models_);
  std::erase_if(*changed, [model](const auto& placed) { return placed.model.get() == model; });
  models_ = std::move(changed);
}

std::size_t Lane::modelCount() const {
  return models()->size();
}

bool Lane::wakeIfIdle() {
  bool expected = true;
  if (!idle_.compare_exchange_strong(expected, false)) {
    return false;
  }
  {
    const std::lock_guard lock(mutex_);
    signalled_ = true;
  }
  wake_.notify_one();
  return true;
}

// Whether the thread could be pinned.
bool Lane::settleIn() {
  nameThisThread(core_ ? "infer-lane-" + std::to_string(*core_) : "infer-lane");
  if (!core_) {
    return false;
  }
  const Result<void> pinned = pinThisThread(*core_);
  if (!pinned.ok()) {
    Log::process().write({LogLevel::kWarn, "scheduler", pinned.error().message});
  }
  return pinned.ok();
}

void Lane::loop(const std::stop_token& stop, Tenure& tenure) {
  spent_ = clock_.threadTime();
  while (!stop.stop_requested()) {
    TimeNs waitUntil = kNever;
    Served served = serveOne(stop, tenure, waitUntil);
    if (served == Served::kNothing) {
      idle_.store(true);
      waitUntil = kNever;
      served = serveOne(stop, tenure, waitUntil);
      if (served == Served::kNothing) {
        turns_.rest();
        sleep(waitUntil);
      }
    }
    if (served == Served::kLost) {
      return;
    }
    idle_.store(false);
  }
}

void Lane::findContenders(const Models& placed) {
  contenders_.clear();
  const std::size_t first = next_ < placed.size() ? next_ : 0;
  for (std::size_t i = 0; i < placed.size(); ++i) {
    const std::size_t at = first + i < placed.size() ? first + i : first + i - placed.size();
    const auto& [model, share] = placed[at];
    if (model->queue.depth() > 0) {
      contenders_.push_back({.share = share.get(), .deadline = model->queue.due(), .place = at});
    }
  }
}

Lane::Served Lane::serveOne(const std::stop_token& stop, Tenure& tenure, TimeNs& waitUntil) {
  std::shared_ptr<const Models> placed = models();
  findContenders(*placed);
  while (!contenders_.empty()) {
    const auto turn = contenders_.begin() + static_cast<std::ptrdiff_t>(turns_.next(contenders_));
    // Only the model that runs is held during its run, so that others can be freed meanwhile.
    const Placed chosen = (*placed)[turn->place];
    Taken batch;
    Queue::TakeResult taken = chosen.model->queue.take(batch, clock_.now(), measure(*chosen.model));
    fail(*chosen.model, std::move(taken.expired), lateInQueue());
    if (batch.requests.empty()) {
      waitUntil = std::min(waitUntil, taken.waitUntil);
      contenders_.erase(turn);  // it waits for more rows, and the others do not wait for it
      continue;
    }
    idle_.store(false);
    wakeOthers(*placed);
    next_ = turn->place + 1;
    placed.reset();
    return runOne(chosen, batch, stop, tenure) ? Served::kBatch : Served::kLost;
  }
  return Served::kNothing;
}

// False when the lane has given this thread up meanwhile, and may be gone.
bool Lane::runOne(const Placed& chosen, Taken& batch, const std::stop_token& stop, Tenure& tenure) {
  const Clock& clock = clock_;
  TimeNs used = 0;
  {
    const std::stop_callback watch(batch.stop.get_token(), [&, this] {
      tenure.toldToStop(clock.now(), chosen.model);
      told_();
    });
    const std::stop_callback forward(stop, [&batch] { batch.stop.request_stop(); });
    used = runBatch(*chosen.model, batch, clock);
  }
  const bool kept = tenure.runEnded();
  if (kept) {
    stuck_.store(false, std::memory_order_relaxed);
  }
  // Not watched: it ends by itself, however long the answers are and whoever has gone meanwhile.
  answerBatch(*chosen.model, batch, clock);
  if (!kept) {
    return false;
  }
  // What this thread did itself is charged by its CPU time: others may have had the core meanwhile,
  // and a container that has used up its quota stands still, for which the model is not to pay.
  const TimeNs before = std::exchange(spent_, clock.threadTime());
  const bool alone = chosen.model->origin.threadsPerRun == 1;
  turns_.charge(*chosen.share, alone ? spent_ - before : used);
  return true;
}

Measured Lane::measure(const ServedModel& model) const {
  Measured measured{.cost = model.estimate.cost()};
  model.lanes.any([&](const Lane& lane) {
    measured.idleLanes += &lane != this && lane.idle_.load(std::memory_order_relaxed) ? 1 : 0;
    return false;
  });
  return measured;
}

// What waits while this lane runs, and whoever counted on this lane's timer or was told that it
// sleeps a moment ago, goes to another lane. Only after this one has said that it is not idle.
void Lane::wakeOthers(const Models& placed) {
  for (const auto& [model, share] : placed) {
    if (model->queue.depth() > 0) {
      wakeOne(*model);
    }
  }
}

void Lane::sleep(TimeNs until) {
  std::unique_lock lock(mutex_);
  const auto woken = [this] { return signalled_; };
  if (until == kNever) {
    wake_.wait(lock, woken);
  } else {
    const std::chrono::nanoseconds left(std::max<TimeNs>(until - clock_.now(), 0));
    wake_.wait_for(lock, left, woken);
  }
  signalled_ = false;
}

std::shared_ptr<const Lane::Models> Lane::models() const {
  const std::lock_guard lock(mutex_);
  return models_;
}

}  // namespace infer
