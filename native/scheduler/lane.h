// SPDX-License-Identifier: Apache-2.0
// Lane: one thread pinned to one core of one device; runs, one batch at a time, the models placed
// on it. Threads: owned by the scheduler; loop() is the lane's thread, everything else is callable
// from any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "native/base/clock.h"
#include "native/scheduler/policy.h"
#include "native/scheduler/served_model.h"
#include "native/scheduler/start_thread.h"
#include "native/scheduler/turns.h"

namespace infer {

class Lane {
 public:
  // `core`: to be pinned to it; nullopt: free to move within the process's cores. Throws
  // std::system_error when its thread cannot be started.
  Lane(std::optional<int> core, const Clock& clock, const StartThread& start = startThread);
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // What it is pinned to: nullopt also where the system refused.
  std::optional<int> core() const { return pinned_ ? core_ : std::nullopt; }

  void place(const std::shared_ptr<ServedModel>& model);
  // Afterwards the lane holds the model only while a run of it is in flight.
  void remove(const ServedModel* model);
  std::size_t modelCount() const;

  // Stops the run in flight if the engine can, and takes no more work.
  void stop();
  // Waits for the thread to end. Lanes that share models wake each other until all of them are
  // joined, so none may be destroyed before.
  void join();

  // Wakes the lane if it sleeps; false when it is busy and will look for work by itself.
  bool wakeIfIdle();

 private:
  struct Placed {
    std::shared_ptr<ServedModel> model;
    std::shared_ptr<Share> share;  // between the versions of the list; lane thread only
  };
  using Models = std::vector<Placed>;

  void loop(const std::stop_token& stop);
  void settleIn();
  void findContenders(const Models& placed);
  bool serveOne(const std::stop_token& stop, TimeNs& waitUntil);
  Measured measure(const ServedModel& model) const;
  static void wakeOthers(const Models& placed);
  void sleep(TimeNs until);
  std::shared_ptr<const Models> models() const;

  const std::optional<int> core_;
  const Clock& clock_;
  bool pinned_ = false;    // written by the lane's thread before it counts settled_ down
  std::latch settled_{1};  // awaited by the constructor
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::shared_ptr<const Models>
      models_;              // guarded by mutex_, replaced whole: a round reads one version
  bool signalled_ = false;  // guarded by mutex_
  // Sequentially consistent, as a pair with the queue's depth: a lane says idle before it looks at
  // the depths for the last time, a submitter raises the depth before it looks here, so one sees
  // the other.
  std::atomic<bool> idle_{false};
  // Lane thread only:
  std::size_t next_ = 0;  // the model after the one that was served last; it leads among equals
  Turns turns_;
  std::vector<Contender> contenders_;  // a member only to keep its memory
  std::jthread thread_;                // last, so that everything above exists when it starts
};

}  // namespace infer
