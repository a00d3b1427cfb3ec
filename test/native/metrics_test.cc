// SPDX-License-Identifier: Apache-2.0
// Counters and histograms, also when several threads write.
#include "native/base/metrics.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "test/native/check.h"

namespace {

using infer::ErrorCode;
using infer::Histogram;
using infer::Metrics;

struct BucketCase {
  const char* name;
  std::int64_t value;
  std::size_t bucket;
};

// Of the bounds 1, 2, 4, ..., 1024.
constexpr BucketCase kBuckets[] = {
    {"a value below the first bound is in the first bucket", 0, 0},
    {"a value on a bound is within it", 4, 2},
    {"a value above a bound is in the next bucket", 5, 3},
    {"the last bound is within it", 1024, 10},
    {"what exceeds every bound has a bucket of its own", 1025, 11},
};

const check::AddEach kPlaced(kBuckets, [](const BucketCase& row) {
  Histogram histogram(infer::kRowsBounds);
  histogram.add(row.value);
  for (std::size_t i = 0; i <= infer::kRowsBounds.size(); ++i) {
    check::equal(histogram.count(i), std::uint64_t{i == row.bucket ? 1U : 0U}, "in the bucket");
  }
  check::equal(histogram.sum(), row.value, "the sum");
});

const check::Add kBounds("bounds ascend and fit into a histogram", [] {
  for (const std::span<const std::int64_t> all :
       {std::span<const std::int64_t>(infer::kRowsBounds),
        std::span<const std::int64_t>(infer::kSecondsBounds)}) {
    check::that(all.size() <= Histogram::kMaxBounds, "room");
    for (std::size_t i = 1; i < all.size(); ++i) {
      check::that(all[i - 1] < all[i], "ascending bounds");
    }
  }
});

const check::Add kRan("a run counts its rows, its time and itself", [] {
  Metrics metrics;
  metrics.ran(3, 1, 20'000);
  metrics.ran(5, 0, 30'000);
  check::equal(metrics.batchCount(), std::uint64_t{2}, "batches");
  check::equal(metrics.rowCount(), std::uint64_t{8}, "rows");
  check::equal(metrics.paddedRowCount(), std::uint64_t{1}, "rows of padding");
  check::equal(metrics.runTime().sum(), 50'000, "nanoseconds");
  check::equal(metrics.batchRows().sum(), 8, "rows in the histogram");
});

const check::Add kByRows("runs are counted by their rows, those beyond the most with the last", [] {
  Metrics metrics(4);
  check::equal(metrics.lastRunMs(), 0, "no run yet");
  for (const std::int64_t rows : {0, 2, 2, 4, 9}) {
    metrics.ran(rows, 0, 10);
  }
  const std::vector<std::uint64_t> runs{1, 0, 2, 0, 2};
  for (std::size_t rows = 0; rows < runs.size(); ++rows) {
    check::equal(metrics.byRows()[rows].runs.load(), runs[rows], "runs");
    check::equal(metrics.byRows()[rows].time.load(), static_cast<infer::TimeNs>(runs[rows]) * 10,
                 "nanoseconds");
  }
  check::that(metrics.lastRunMs() > 1'700'000'000'000, "a time of this century");
});

const check::Add kErrors("failures are counted by code", [] {
  Metrics metrics;
  metrics.failed(ErrorCode::kDeadline);
  metrics.failed(ErrorCode::kDeadline);
  metrics.failed(ErrorCode::kInternal);
  const auto count = [&](ErrorCode code) {
    return metrics.errorCount(static_cast<std::size_t>(code));
  };
  check::equal(count(ErrorCode::kDeadline), std::uint64_t{2}, "deadlines");
  check::equal(count(ErrorCode::kInternal), std::uint64_t{1}, "internal errors");
  check::equal(count(ErrorCode::kBadInput), std::uint64_t{0}, "bad inputs");
});

const check::Add kThreads("nothing is lost when several threads count", [] {
  Metrics metrics;
  {
    std::vector<std::jthread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&metrics] {
        for (int n = 0; n < 10'000; ++n) {
          metrics.accepted(2);
          metrics.completed(1, {.parse = 1, .queue = 2, .run = 3, .format = 4});
          metrics.waited(n);
        }
      });
    }
  }
  check::equal(metrics.requestCount(), std::uint64_t{80'000}, "accepted");
  check::equal(metrics.completedCount(), std::uint64_t{40'000}, "completed");
  check::equal(metrics.queueTime().sum(), std::int64_t{4} * 49'995'000, "nanoseconds waited");
  const infer::StageTimes spent = metrics.spent();
  check::equal(spent.parse, infer::TimeNs{40'000}, "nanoseconds of parsing");
  check::equal(spent.queue, infer::TimeNs{80'000}, "of waiting");
  check::equal(spent.run, infer::TimeNs{120'000}, "of running");
  check::equal(spent.format, infer::TimeNs{160'000}, "of writing");
});

}  // namespace
