// SPDX-License-Identifier: Apache-2.0
// What the time of runs teaches about the next one.
#include "native/scheduler/estimate.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "native/base/clock.h"
#include "test/native/check.h"

namespace {

using infer::kNever;
using infer::RunEstimate;
using infer::TimeNs;

bool near(TimeNs actual, double expected) {
  constexpr double kTolerance = 0.02;
  return std::abs(static_cast<double>(actual) - expected) <= kTolerance * expected + 1;
}

const check::Add kUnknown("a model that has hardly run is not judged", [] {
  RunEstimate estimate(true);
  for (int i = 0; i < 15; ++i) {
    check::equal(estimate.of(1), kNever, "unknown before run " + std::to_string(i));
    estimate.add(1, 1000);
  }
});

const check::Add kLine("a base and a time per row are told apart", [] {
  RunEstimate estimate(true);
  for (int i = 0; i < 200; ++i) {
    const std::int64_t rows = 1 + i % 16;
    estimate.add(rows, 5000 + 300 * rows);
  }
  check::that(near(estimate.of(1), 5300), "5300 for one row");
  check::that(near(estimate.of(16), 9800), "9800 for 16 rows");
});

const check::Add kWarmUp("slow first runs are forgotten", [] {
  RunEstimate estimate(true);
  for (int i = 0; i < 40; ++i) {
    estimate.add(1, i < 15 ? 1'000'000 : 2000);
  }
  check::that(near(estimate.of(1), 2000), "2000, not a mean with the warm-up");
});

const check::Add kOutlier("a run that lost its core does not make a fast model slow", [] {
  RunEstimate estimate(true);
  for (int i = 0; i < 100; ++i) {
    estimate.add(1, 2000);
  }
  estimate.add(1, 50'000'000);
  check::that(estimate.of(1) < 2200, "about 2000 after one outlier");
});

const check::Add kChange("a model that became slower is noticed", [] {
  RunEstimate estimate(true);
  for (int i = 0; i < 100; ++i) {
    estimate.add(1, 2000);
  }
  for (int i = 0; i < 400; ++i) {
    estimate.add(1, 100'000);
  }
  check::that(estimate.of(1) > 90'000, "about 100000 in the end");
});

const check::Add kSameRows("from batches of one size alone, time is taken to grow with rows", [] {
  RunEstimate estimate(true);
  for (int i = 0; i < 50; ++i) {
    estimate.add(8, 8000);
  }
  check::that(near(estimate.of(16), 16'000), "16000 for twice the rows");
  check::that(estimate.of(0) >= 0, "never below zero");
});

// A tensor with an axis of zero has no bytes, however many rows.
const check::Add kHuge("more rows than time can say do not turn into the past", [] {
  RunEstimate estimate(true);
  for (int i = 0; i < 20; ++i) {
    estimate.add(1, 1'000'000);
  }
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max() / 32;
  check::that(estimate.of(huge) > 0, "a time to come");
  estimate.add(huge, 1'000'000);
  check::that(estimate.of(1) >= 0 && estimate.of(huge) > 0, "times to come after such a run");
});

}  // namespace
