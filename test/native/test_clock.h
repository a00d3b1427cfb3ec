// SPDX-License-Identifier: Apache-2.0
// A clock that shows what it was told.
// Threads: any; the time is an atomic.
#pragma once

#include <atomic>

#include "native/base/clock.h"

namespace test {

class TestClock final : public infer::Clock {
 public:
  infer::TimeNs now() const override { return now_.load(); }
  void set(infer::TimeNs now) { now_.store(now); }

 private:
  std::atomic<infer::TimeNs> now_{0};
};

}  // namespace test
