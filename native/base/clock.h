// SPDX-License-Identifier: Apache-2.0
// Monotonic time and the CPU time of a thread, in nanoseconds; an interface so that tests decide
// what time it is. Threads: any.
#pragma once

#include <time.h>  // NOLINT(modernize-deprecated-headers): clock_gettime is of POSIX, not of <ctime>

#include <chrono>
#include <cstdint>
#include <limits>

namespace infer {

using TimeNs = std::int64_t;  // since an arbitrary start; never goes back
inline constexpr TimeNs kMillisecond = 1'000'000;
inline constexpr TimeNs kNever = std::numeric_limits<TimeNs>::max();

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimeNs now() const = 0;
  // CPU time of the calling thread, since an arbitrary start of its own: stands still while the
  // thread sleeps or others have its core.
  virtual TimeNs threadTime() const = 0;
};

class SteadyClock final : public Clock {
 public:
  TimeNs now() const override {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
  }
  TimeNs threadTime() const override {
    timespec time{};
    // <time.h> takes the name from a header of its own.
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);  // NOLINT(misc-include-cleaner)
    return TimeNs{time.tv_sec} * 1000 * kMillisecond + time.tv_nsec;
  }
};

}  // namespace infer
