// SPDX-License-Identifier: Apache-2.0
// The lane's loop: wait, take, pack, run, complete.
#include "native/scheduler/lane.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include "native/base/affinity.h"
#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/log.h"
#include "native/scheduler/policy.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/run.h"
#include "native/scheduler/served_model.h"
#include "native/scheduler/start_thread.h"

namespace infer {

Lane::Lane(std::optional<int> core, const Clock& clock, const StartThread& start)
    : core_(core),
      clock_(clock),
      models_(std::make_shared<const Models>()),
      thread_(start([this](const std::stop_token& stop) { loop(stop); })) {
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

void Lane::join() {
  if (thread_.joinable()) {
    thread_.join();
  }
}

void Lane::place(const std::shared_ptr<ServedModel>& model) {
  const std::lock_guard lock(mutex_);
  auto changed = std::make_shared<Models>(*models_);
  changed->push_back(model);
  models_ = std::move(changed);
}

void Lane::remove(const ServedModel* model) {
  const std::lock_guard lock(mutex_);
  auto changed = std::make_shared<Models>(*models_);
  std::erase_if(*changed, [model](const auto& placed) { return placed.get() == model; });
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

void Lane::settleIn() {
  nameThisThread(core_ ? "infer-lane-" + std::to_string(*core_) : "infer-lane");
  if (core_) {
    const Result<void> pinned = pinThisThread(*core_);
    pinned_ = pinned.ok();
    if (!pinned.ok()) {
      Log::process().write({LogLevel::kWarn, "scheduler", pinned.error().message});
    }
  }
  settled_.count_down();
}

void Lane::loop(const std::stop_token& stop) {
  settleIn();
  while (!stop.stop_requested()) {
    TimeNs waitUntil = kNever;
    if (serveOne(stop, waitUntil)) {
      continue;
    }
    idle_.store(true);
    waitUntil = kNever;
    if (!serveOne(stop, waitUntil)) {
      sleep(waitUntil);
    }
    idle_.store(false);
  }
}

bool Lane::serveOne(const std::stop_token& stop, TimeNs& waitUntil) {
  std::shared_ptr<const Models> placed = models();
  for (std::size_t i = 0; i < placed->size(); ++i) {
    const std::size_t at = (next_ + i) % placed->size();
    ServedModel& model = *(*placed)[at];
    if (model.queue.depth() == 0) {
      continue;
    }
    Taken batch;
    Queue::TakeResult taken = model.queue.take(batch, clock_.now(), measure(model));
    fail(model, std::move(taken.expired), lateInQueue());
    if (batch.requests.empty()) {
      waitUntil = std::min(waitUntil, taken.waitUntil);
      continue;
    }
    idle_.store(false);
    wakeOthers(*placed);
    next_ = at + 1;
    const std::stop_callback forward(stop, [&batch] { batch.stop.request_stop(); });
    // Only the model that runs is held during its run, so that others can be freed meanwhile.
    const std::shared_ptr<ServedModel> held = (*placed)[at];
    placed.reset();
    runBatch(*held, batch, clock_);
    return true;
  }
  return false;
}

Measured Lane::measure(const ServedModel& model) const {
  Measured measured{.cost = model.estimate.cost()};
  for (const Lane* lane : model.lanes) {
    measured.idleLanes += lane != this && lane->idle_.load(std::memory_order_relaxed) ? 1 : 0;
  }
  return measured;
}

// What waits while this lane runs, and whoever counted on this lane's timer or was told that it
// sleeps a moment ago, goes to another lane. Only after this one has said that it is not idle.
void Lane::wakeOthers(const Models& placed) {
  for (const auto& model : placed) {
    if (model->queue.depth() > 0) {
      std::ranges::any_of(model->lanes, [](Lane* lane) { return lane->wakeIfIdle(); });
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
