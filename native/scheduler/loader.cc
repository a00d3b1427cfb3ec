// SPDX-License-Identifier: Apache-2.0
// A small pool that grows on demand.
#include "native/scheduler/loader.h"

#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "native/base/affinity.h"

namespace infer {

Loader::~Loader() {
  stop();
}

void Loader::run(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
      return;  // a job that still runs may come here: nothing is added to threads_ any more
    }
    jobs_.push_back(std::move(job));
    if (jobs_.size() > idle_ && threads_.size() < most_) {
      threads_.emplace_back([this](const std::stop_token& stop) { loop(stop); });
    }
  }
  wake_.notify_one();
}

void Loader::stop() {
  // Both end without the lock: loops need it to end, and what a job holds may be a whole model.
  std::vector<std::jthread> threads;
  std::deque<std::function<void()>> dropped;
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  dropped.swap(jobs_);
  threads.swap(threads_);
}

void Loader::loop(const std::stop_token& stop) {
  nameThisThread("infer-load");
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    ++idle_;
    wake_.wait(lock, stop, [this] { return !jobs_.empty(); });
    --idle_;
    if (jobs_.empty()) {
      return;
    }
    std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // what it holds may be a whole model: freed here, not under the lock
    lock.lock();
  }
}

}  // namespace infer
