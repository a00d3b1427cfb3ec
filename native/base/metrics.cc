// SPDX-License-Identifier: Apache-2.0
// Where a value falls in a histogram.
#include "native/base/metrics.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "native/base/clock.h"

namespace infer {

void Histogram::add(std::int64_t value) {
  const auto bucket = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
  counts_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

void Metrics::ran(std::int64_t rows, std::int64_t padding, TimeNs runTime) {
  batches_.fetch_add(1, std::memory_order_relaxed);
  rows_.fetch_add(static_cast<std::uint64_t>(rows), std::memory_order_relaxed);
  if (padding > 0) {
    paddedRows_.fetch_add(static_cast<std::uint64_t>(padding), std::memory_order_relaxed);
  }
  runTime_.add(runTime);
  batchRows_.add(rows);
}

}  // namespace infer
