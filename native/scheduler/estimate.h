// SPDX-License-Identifier: Apache-2.0
// How long a run of a model takes, learned from its runs: time = base + perRow * rows.
// Threads: any; learning takes a mutex, asking does not.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "native/base/clock.h"

namespace infer {

// What a run of a model costs, as far as it is known.
struct RunCost {
  bool known = false;
  double base = 0;    // nanoseconds
  double perRow = 0;  // nanoseconds

  // Expected time of a run, at most a century; kNever when unknown.
  TimeNs of(std::int64_t rows) const {
    constexpr double kCentury = 3.2e18;  // rows without a byte can be more than time can say
    const double time = base + perRow * static_cast<double>(rows);
    return known ? static_cast<TimeNs>(std::min(time, kCentury)) : kNever;
  }
};

class RunEstimate {
 public:
  // One run of `rows` took `time`. A run that took far longer than expected (the thread lost its
  // core) counts as a few times the expectation.
  void add(std::int64_t rows, TimeNs time);

  // Unknown before enough runs were seen to say.
  RunCost cost() const;
  TimeNs of(std::int64_t rows) const { return cost().of(rows); }

 private:
  void fit();

  std::mutex mutex_;
  // Guarded by mutex_: sums over past runs, in which older ones fade.
  double runs_ = 0;
  double rows_ = 0;
  double times_ = 0;
  double rowsRows_ = 0;
  double rowsTimes_ = 0;
  std::int64_t seen_ = 0;  // guarded by mutex_
  // The fit. Relaxed: an asker may see one of a moment ago, and each is a sensible number by
  // itself.
  std::atomic<double> base_{0};
  std::atomic<double> perRow_{0};
  std::atomic<bool> known_{false};
};

}  // namespace infer
