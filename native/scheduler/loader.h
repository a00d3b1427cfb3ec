// SPDX-License-Identifier: Apache-2.0
// Threads for what is neither a JS thread's nor a lane's work: loading and freeing models takes
// from milliseconds to minutes, and must delay neither the event loop nor the requests of other
// models. Threads: run() from any; jobs run on loader threads, at most `most` at a time, started
// when needed and when the system lets it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "native/base/error.h"
#include "native/scheduler/start_thread.h"

namespace infer {

class Loader {
 public:
  using Job = std::function<void()>;

  explicit Loader(std::size_t most, StartThread start = startThread);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // Takes the job; after stop() it is dropped without being run. Fails with kInternal, and leaves
  // the job with the caller, when there is no thread to run it and none can be started.
  Result<void> run(Job& job);

  // Waits for the jobs that run and drops those that wait. Not to be called by a job.
  void stop();

 private:
  void loop(const std::stop_token& stop);

  const std::size_t most_;
  const StartThread start_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<Job> jobs_;               // guarded by mutex_
  std::size_t idle_ = 0;               // guarded by mutex_: threads that wait for a job
  bool stopped_ = false;               // guarded by mutex_
  std::vector<std::jthread> threads_;  // guarded by mutex_; last: their loops use the rest
};

}  // namespace infer
