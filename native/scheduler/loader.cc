// SPDX-License-Identifier: Apache-2.0
// A small pool that grows on demand.
#include "native/scheduler/loader.h"

#include <cstddef>
#include <deque>
#include <mutex>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "native/base/affinity.h"
#include "native/base/error.h"
#include "native/scheduler/start_thread.h"

namespace infer {

Loader::Loader(std::size_t most, StartThread start) : most_(most), start_(std::move(start)) {
  threads_.reserve(most);  // a thread that has started must find its place
}

Loader::~Loader() {
  stop();
}

Result<void> Loader::run(Job& job) {
  Job dropped;  // ends without the lock
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) {
      // A job that still runs may come here: nothing is added to threads_ any more.
      dropped = std::move(job);
      return {};
    }
    jobs_.push_back(std::move(job));
    if (jobs_.size() > idle_ && threads_.size() < most_) {
      try {
        threads_.push_back(start_([this](const std::stop_token& stop) { loop(stop); }));
      } catch (const std::system_error& failure) {
        if (threads_.empty()) {
          job = std::move(jobs_.back());
          jobs_.pop_back();
          return Error{ErrorCode::kInternal,
                       std::string("a loader thread cannot be started: ") + failure.what(),
                       {}};
        }
        // One that runs already will come to it.
      }
    }
  }
  wake_.notify_one();
  return {};
}

void Loader::stop() {
  // Both end without the lock: loops need it to end, and what a job holds may be a whole model.
  std::vector<std::jthread> threads;
  std::deque<Job> dropped;
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
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // what it holds may be a whole model: freed here, not under the lock
    lock.lock();
  }
}

}  // namespace infer
