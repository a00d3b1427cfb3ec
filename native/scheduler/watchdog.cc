// SPDX-License-Identifier: Apache-2.0
// Sleeping until something is due.
#include "native/scheduler/watchdog.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <stop_token>
#include <system_error>
#include <utility>

#include "native/base/affinity.h"
#include "native/base/clock.h"
#include "native/scheduler/start_thread.h"

namespace infer {

Watchdog::Watchdog(const Clock& clock, StartThread start, std::function<TimeNs()> look)
    : clock_(clock), start_(std::move(start)), look_(std::move(look)) {}

Watchdog::~Watchdog() {
  stop();
}

void Watchdog::poke() {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
      return;
    }
    poked_ = true;
    if (!thread_.joinable()) {
      try {
        thread_ = start_([this](const std::stop_token& stop) { loop(stop); });
      } catch (const std::system_error&) {
        return;
      }
    }
  }
  wake_.notify_one();
}

void Watchdog::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
}

void Watchdog::loop(const std::stop_token& stop) {
  nameThisThread("infer-watch");
  std::unique_lock lock(mutex_);
  TimeNs next = kNever;
  const auto woken = [this] { return poked_; };
  while (!stop.stop_requested()) {
    if (next == kNever) {
      wake_.wait(lock, stop, woken);
    } else {
      const std::chrono::nanoseconds left(std::max<TimeNs>(next - clock_.now(), 0));
      wake_.wait_for(lock, stop, left, woken);
    }
    poked_ = false;
    lock.unlock();
    next = look_();
    lock.lock();
  }
}

}  // namespace infer
