// SPDX-License-Identifier: Apache-2.0
// Who may join a queue: bounds in requests, rows and bytes, and whether an answer could come in
// time. Threads: pure functions and values; a DrainRate is guarded by whoever holds it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/scheduler/estimate.h"
#include "native/scheduler/policy.h"

namespace infer {

// Requests that wait, or one that would join them.
struct Load {
  std::size_t requests = 0;
  std::int64_t rows = 0;
  std::size_t bytes = 0;  // of inputs

  Load& operator+=(const Load& more);
  Load& operator-=(const Load& gone);
};

Load loadOf(const Request& request);

// Measures how fast rows leave a queue while others wait behind them: by all its lanes together,
// beside whatever else these do.
class DrainRate {
 public:
  // `rows` were taken at `now`; `more`: others wait behind them.
  void took(std::int64_t rows, TimeNs now, bool more);

  // Nanoseconds per row; 0 before anything was measured.
  double perRow() const { return rows_ > 0 ? time_ / rows_ : 0; }

 private:
  // Sums over past departures, in which older ones fade.
  double time_ = 0;
  double rows_ = 0;
  TimeNs since_ = kNever;  // the last departure, if it left others behind
};

// How fast a queue empties, as far as it is known.
struct Pace {
  RunCost cost = {};  // of a run
  double perRow = 0;  // DrainRate::perRow()

  // Time until `rows` rows have left the queue; 0 when unknown.
  TimeNs drain(std::int64_t rows) const;
  // Time until a request that joins `rows` rows is answered; 0 when unknown.
  TimeNs answer(std::int64_t rows, const Limits& limits) const;
};

// Whether the limits leave no room for anybody.
bool isFull(const Load& waiting, const Limits& limits);

// Why `newcomer` may not join those that wait, if it may not: kQueueFull beyond a limit, kDeadline
// when an answer is expected only after `left`. An empty queue takes any one request: a bound is
// not to shut out what can never fit, and a run is all that can correct a wrong expectation.
std::optional<Error> refusal(const Load& waiting, const Load& newcomer, const Limits& limits,
                             const Pace& pace, TimeNs left);

// kQueueFull for somebody who comes while isFull().
Error fullQueue(const Load& waiting, const Limits& limits, const Pace& pace);

}  // namespace infer
