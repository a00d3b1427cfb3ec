// SPDX-License-Identifier: Apache-2.0
// The lanes that one model is placed on: looked through without a lock by every submit and every
// batch, changed while they do. Threads: any.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <vector>

namespace infer {

class Lane;

// Lanes are borrowed: they outlive every model.
class LaneSet {
 public:
  explicit LaneSet(std::size_t most) : lanes_(most) {}

  // At most `most`. One caller at a time, who afterwards looks whether something waits: whoever saw
  // anything of the set before the change may have counted on a lane that has left it.
  void set(const std::vector<Lane*>& lanes) {
    const std::lock_guard lock(mutex_);
    const std::size_t count = std::min(lanes.size(), lanes_.size());
    for (std::size_t i = 0; i < count; ++i) {
      lanes_[i].store(lanes[i]);
    }
    count_.store(count);
  }

  std::vector<Lane*> all() const {
    const std::lock_guard lock(mutex_);
    return {lanes_.begin(), lanes_.begin() + static_cast<std::ptrdiff_t>(count_.load())};
  }

  // Whether `found(lane)` says so of one; it is not asked further. During set() it may be asked
  // about a lane twice, or not about one that stays.
  template <typename Found>
  bool any(const Found& found) const {
    const std::size_t count = count_.load();
    for (std::size_t i = 0; i < count; ++i) {
      if (found(*lanes_[i].load())) {
        return true;
      }
    }
    return false;
  }

 private:
  mutable std::mutex mutex_;  // of set() and all()
  // Sequentially consistent, as the queue's depth: a submitter raises the depth before it looks
  // here, and set() is over before the depth is looked at, so one sees the other. Those below
  // count_ are never null.
  std::vector<std::atomic<Lane*>> lanes_;
  std::atomic<std::size_t> count_{0};
};

}  // namespace infer
