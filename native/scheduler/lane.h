// SPDX-License-Identifier: Apache-2.0
// Lane: one thread pinned to one core of one device; runs, one batch at a time, the models placed
// on it. Threads: owned by the scheduler; loop() is the lane's thread, everything else is callable
// from any.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <vector>

#include "native/base/clock.h"
#include "native/scheduler/policy.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/served_model.h"
#include "native/scheduler/start_thread.h"
#include "native/scheduler/tenure.h"
#include "native/scheduler/turns.h"

namespace infer {

// As long as anything may take, and short enough to be added to a time.
inline constexpr std::chrono::hours kForEver{24 * 365};

class Lane {
 public:
  // `core`: to be pinned to it; nullopt: free to move within the process's cores. `told` is called
  // whenever a run in flight is told to stop. Throws std::system_error when its thread cannot be
  // started.
  Lane(std::optional<int> core, const Clock& clock, StartThread start = startThread,
       std::function<void()> told = nothing);
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
  // Waits for the thread to end; where a run goes on for longer than `patience`, the thread is left
  // to it. Lanes that share models wake each other until all of them are joined, so none may be
  // destroyed before.
  void join(std::chrono::nanoseconds patience = kForEver);

  // Since when the run in flight should have ended; kNever: nobody told it to.
  TimeNs toldAt() const { return tenure_->toldAt(); }

  // The model of the run in flight, once, when that was told to stop at `by` or before. Not to be
  // called by two threads at once.
  std::shared_ptr<ServedModel> overdue(TimeNs by);
  // Whether such a run holds the lane; nothing else is served until it ends.
  bool isStuck() const { return stuck_.load(std::memory_order_relaxed); }

  // Where the run in flight was told to stop at `by` or before, leaves its thread to it and goes on
  // with a new one. When the run ends after all, its thread ends too. Throws std::system_error, and
  // nothing changes, when no thread can be started. Not to be called by two threads at once, nor
  // with stop() and join().
  void replaceThread(TimeNs by);

  // Threads that were left to their runs, which have not ended.
  std::size_t lostThreads();

  // Wakes the lane if it sleeps; false when it is busy and will look for work by itself.
  bool wakeIfIdle();

 private:
  static void nothing() {}

  struct Placed {
    std::shared_ptr<ServedModel> model;
    std::shared_ptr<Share> share;  // between the versions of the list; lane thread only
  };
  using Models = std::vector<Placed>;

  struct Left {
    std::jthread thread;
    std::shared_ptr<Tenure> tenure;
  };
  enum class Served : std::uint8_t { kNothing, kBatch, kLost };

  std::jthread startLoop(const std::shared_ptr<Tenure>& tenure, std::function<bool()> settle);
  void loop(const std::stop_token& stop, Tenure& tenure);
  bool settleIn();
  void findContenders(const Models& placed);
  // After kLost nothing of the lane may be touched.
  Served serveOne(const std::stop_token& stop, Tenure& tenure, TimeNs& waitUntil);
  bool runOne(const Placed& chosen, Taken& batch, const std::stop_token& stop, Tenure& tenure);
  Measured measure(const ServedModel& model) const;
  static void wakeOthers(const Models& placed);
  void sleep(TimeNs until);
  std::shared_ptr<const Models> models() const;

  const std::optional<int> core_;
  const Clock& clock_;
  const StartThread start_;
  const std::function<void()> told_;
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
  std::atomic<bool> stuck_{false};  // relaxed: only a hint where to place models
  // Of the lane's thread, and of the one that replaces it:
  std::size_t next_ = 0;  // the model after the one that was served last; it leads among equals
  Turns turns_;
  TimeNs spent_ = 0;                   // CPU time of the thread when it charged a model last
  std::vector<Contender> contenders_;  // a member only to keep its memory
  // Of whoever calls replaceThread(), stop() and join():
  std::vector<Left> left_;
  std::shared_ptr<Tenure> tenure_;
  std::jthread thread_;  // last, so that everything above exists when it starts
};

}  // namespace infer
