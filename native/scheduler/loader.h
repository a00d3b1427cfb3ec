// SPDX-License-Identifier: Apache-2.0
// Threads for what is neither a JS thread's nor a lane's work: loading and freeing models takes
// from milliseconds to minutes, and must delay neither the event loop nor the requests of other
// models. Threads: run() from any; jobs run on loader threads, at most `most` at a time, started
// when needed.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace infer {

class Loader {
 public:
  explicit Loader(std::size_t most) : most_(most) {}
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // Dropped after stop(), without being run.
  void run(std::function<void()> job);

  // Waits for the jobs that run and drops those that wait. Not to be called by a job.
  void stop();

 private:
  void loop(const std::stop_token& stop);

  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<std::function<void()>> jobs_;  // guarded by mutex_
  std::size_t idle_ = 0;                    // guarded by mutex_: threads that wait for a job
  bool stopped_ = false;                    // guarded by mutex_
  std::vector<std::jthread> threads_;       // guarded by mutex_; last: their loops use the rest
};

}  // namespace infer
