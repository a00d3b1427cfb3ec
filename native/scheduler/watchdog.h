// SPDX-License-Identifier: Apache-2.0
// A thread that looks after runs that were told to stop. It is started by the first of them, and
// sleeps while there is none. Threads: any; one mutex.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

#include "native/base/clock.h"
#include "native/scheduler/start_thread.h"

namespace infer {

class Watchdog {
 public:
  // `look` does what is due, and returns when something will be; kNever: not before the next poke.
  // thread: the watchdog's.
  Watchdog(const Clock& clock, StartThread start, std::function<TimeNs()> look);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // Something may be due now or later. Without a thread to look, the next poke tries again.
  void poke();

  // Joins the thread; pokes do nothing any more. Not to be called by `look`.
  void stop();

 private:
  void loop(const std::stop_token& stop);

  const Clock& clock_;
  const StartThread start_;
  const std::function<TimeNs()> look_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool poked_ = false;    // guarded by mutex_
  bool stopped_ = false;  // guarded by mutex_
  std::jthread thread_;   // guarded by mutex_ until stopped_
};

}  // namespace infer
