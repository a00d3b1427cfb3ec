// SPDX-License-Identifier: Apache-2.0
// Where a value falls in a histogram.
#include "native/base/metrics.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "native/base/clock.h"
#include "native/base/request.h"

namespace infer {

void Histogram::add(std::int64_t value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

void Metrics::completed(std::uint64_t requests, const StageTimes& spent) {
  completed_.fetch_add(requests, std::memory_order_relaxed);
  spent_.parse.fetch_add(spent.parse, std::memory_order_relaxed);
  spent_.queue.fetch_add(spent.queue, std::memory_order_relaxed);
  spent_.run.fetch_add(spent.run, std::memory_order_relaxed);
  spent_.format.fetch_add(spent.format, std::memory_order_relaxed);
}

StageTimes Metrics::spent() const {
  return {.parse = spent_.parse.load(std::memory_order_relaxed),
          .queue = spent_.queue.load(std::memory_order_relaxed),
          .run = spent_.run.load(std::memory_order_relaxed),
          .format = spent_.format.load(std::memory_order_relaxed)};
}

void Metrics::ran(std::int64_t rows, std::int64_t padding, TimeNs runTime) {
  batches_.fetch_add(1, std::memory_order_relaxed);
  rows_.fetch_add(static_cast<std::uint64_t>(rows), std::memory_order_relaxed);
  if (padding > 0) {
    paddedRows_.fetch_add(static_cast<std::uint64_t>(padding), std::memory_order_relaxed);
  }
  RunsOfRows& same = byRows_[std::min(static_cast<std::size_t>(rows), byRows_.size() - 1)];
  same.runs.fetch_add(1, std::memory_order_relaxed);
  same.time.fetch_add(runTime, std::memory_order_relaxed);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  lastRunMs_.store(std::chrono::duration_cast<std::chrono::milliseconds>(now).count(),
                   std::memory_order_relaxed);
  runTime_.add(runTime);
  batchRows_.add(rows);
}

}  // namespace infer
