// SPDX-License-Identifier: Apache-2.0
// A clock that shows what it was told.
// Threads: any; the times are atomics.
#pragma once

#include <atomic>

#include "native/base/clock.h"

namespace test {

class TestClock final : public infer::Clock {
 public:
  infer::TimeNs now() const override { return now_.load(); }
  void set(infer::TimeNs now) { now_.store(now); }

  // Of all threads together; only spend() moves it.
  infer::TimeNs threadTime() const override { return spent_.load(); }
  // A thread computes for so long.
  void spend(infer::TimeNs time) {
    now_.fetch_add(time);
    spent_.fetch_add(time);
  }

 private:
  std::atomic<infer::TimeNs> now_{0};
  std::atomic<infer::TimeNs> spent_{0};
};

}  // namespace test
