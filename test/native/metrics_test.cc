// SPDX-License-Identifier: Apache-2.0
// Counters and histograms, also when several threads write.
#include "native/base/metrics.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>
#include <vector>

#include "native/base/error.h"
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
          metrics.completed(1);
          metrics.waited(n);
        }
      });
    }
  }
  check::equal(metrics.requestCount(), std::uint64_t{80'000}, "accepted");
  check::equal(metrics.completedCount(), std::uint64_t{40'000}, "completed");
  check::equal(metrics.queueTime().sum(), std::int64_t{4} * 49'995'000, "nanoseconds waited");
});

}  // namespace
