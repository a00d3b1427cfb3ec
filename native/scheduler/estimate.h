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
  bool steady = false;    // rows alone decide: good enough to refuse a request by it
  double base = 0;        // nanoseconds
  double perRow = 0;      // nanoseconds
  std::int64_t most = 0;  // rows up to which this was measured; beyond, it is a guess

  // Expected time of a run, at most a century; kNever when unknown.
  TimeNs of(std::int64_t rows) const { return known ? sum(base, rows, perRow) : kNever; }
  // The same, and as if the time of a run were all in its rows where so many were never measured.
  TimeNs atMost(std::int64_t rows) const {
    return rows <= most || !known ? of(rows) : sum(0, rows, base + perRow);
  }

 private:
  static TimeNs sum(double base, std::int64_t rows, double perRow) {
    constexpr double kCentury = 3.2e18;  // rows without a byte can be more than time can say
    return static_cast<TimeNs>(std::min(base + perRow * static_cast<double>(rows), kCentury));
  }
};

class RunEstimate {
 public:
  // `steady`: the number of rows says how long a run takes; else what is learned is only a mean.
  explicit RunEstimate(bool steady) : steady_(steady) {}

  // One run of `rows` succeeded and took `time`. A run that took far longer than expected (the
  // thread lost its core) counts as a few times the expectation.
  void add(std::int64_t rows, TimeNs time);

  // Unknown before enough runs were seen to say.
  RunCost cost() const;
  TimeNs of(std::int64_t rows) const { return cost().of(rows); }

 private:
  void fit(std::int64_t newest);

  const bool steady_;
  std::mutex mutex_;
  // Guarded by mutex_: sums over past runs, in which older ones fade.
  double runs_ = 0;
  double rows_ = 0;
  double times_ = 0;
  double rowsRows_ = 0;
  double rowsTimes_ = 0;
  std::int64_t seen_ = 0;  // guarded by mutex_
  // The fit, as one so that an asker never sees halves of two. Relaxed: it may be that of a moment
  // ago.
  struct Fit {
    float base = 0;
    float perRow = -1;  // below 0: not known yet
  };
  std::atomic<Fit> fit_{Fit{}};
  static_assert(std::atomic<Fit>::is_always_lock_free);
  std::atomic<std::int64_t> most_{0};
};

}  // namespace infer
