// SPDX-License-Identifier: Apache-2.0
// What a thread of a lane shares with the lane, so that the lane can give it up in a run that does
// not end. Threads: any; one mutex. Owned by both, because either may be gone first.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "native/base/clock.h"
#include "native/scheduler/served_model.h"

namespace infer {

class Tenure {
 public:
  // thread: any. The run in flight, of `model`, is told to stop.
  void toldToStop(TimeNs now, const std::shared_ptr<ServedModel>& model) {
    const std::lock_guard lock(mutex_);
    toldAt_ = now;
    model_ = model;
  }

  // Since when the run in flight should have ended; kNever: nobody told it to.
  TimeNs toldAt() const {
    const std::lock_guard lock(mutex_);
    return toldAt_;
  }

  // Whether the run was told at `by` or before and has not ended: the thread then is no longer the
  // lane's.
  bool giveUp(TimeNs by) {
    std::shared_ptr<ServedModel> freed;  // after unlocking
    const std::lock_guard lock(mutex_);
    if (toldAt_ == kNever || toldAt_ > by) {
      return false;
    }
    toldAt_ = kNever;
    lost_ = true;
    freed.swap(model_);
    return true;
  }

  // The model of such a run, once for each, without giving the thread up. Else null.
  std::shared_ptr<ServedModel> overdue(TimeNs by) {
    const std::lock_guard lock(mutex_);
    if (toldAt_ == kNever || toldAt_ > by || reported_) {
      return nullptr;
    }
    reported_ = true;
    return model_;
  }

  bool isLost() const {
    const std::lock_guard lock(mutex_);
    return lost_;
  }

  // thread: lane. False: the thread was given up, and the lane may be gone.
  bool runEnded() {
    std::shared_ptr<ServedModel> freed;  // after unlocking
    const std::lock_guard lock(mutex_);
    toldAt_ = kNever;
    reported_ = false;
    freed.swap(model_);
    return !lost_;
  }

  // thread: lane. The last thing it does.
  void ended() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
  }
  bool waitForEnd(std::chrono::nanoseconds patience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [this] { return ended_; });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  TimeNs toldAt_ = kNever;              // guarded by mutex_
  std::shared_ptr<ServedModel> model_;  // guarded by mutex_; of a run that was told to stop
  bool reported_ = false;               // guarded by mutex_
  bool lost_ = false;                   // guarded by mutex_
  bool ended_ = false;                  // guarded by mutex_
};

}  // namespace infer
