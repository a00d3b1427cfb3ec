// SPDX-License-Identifier: Apache-2.0
// Padding up against splitting into exact buckets.
#include "native/scheduler/buckets.h"

#include <algorithm>
#include <cstdint>

#include "native/scheduler/estimate.h"

namespace infer {

std::int64_t paddedRows(Buckets buckets, std::int64_t rows) {
  const auto fits = std::ranges::lower_bound(buckets, rows);
  return fits == buckets.end() ? rows : *fits;
}

double costOfRuns(Buckets buckets, std::int64_t rows, const RunCost& cost) {
  const auto timeOf = [&cost](std::int64_t run) {
    return cost.base + cost.perRow * static_cast<double>(run);
  };
  double exact = 0;  // of the runs without padding so far
  double best = timeOf(paddedRows(buckets, rows));
  while (rows > 0) {
    const auto above = std::ranges::upper_bound(buckets, rows);
    if (above == buckets.begin()) {
      break;  // less than the smallest
    }
    const std::int64_t bucket = *(above - 1);
    exact += timeOf(bucket);
    rows -= bucket;
    if (exact >= best) {
      break;
    }
    best = std::min(best, exact + (rows > 0 ? timeOf(paddedRows(buckets, rows)) : 0));
  }
  return best;
}

}  // namespace infer
