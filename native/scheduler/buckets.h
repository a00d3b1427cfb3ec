// SPDX-License-Identifier: Apache-2.0
// Batch sizes that a model was compiled for: what a run of so many rows becomes, and costs.
// Threads: pure functions; any.
#pragma once

#include <cstdint>
#include <span>

#include "native/scheduler/estimate.h"

namespace infer {

using Buckets = std::span<const std::int64_t>;  // ascending; empty: any number of rows can be run

// The smallest bucket that holds `rows`; `rows` where there is none.
std::int64_t paddedRows(Buckets buckets, std::int64_t rows);

// Nanoseconds of runs for `rows` rows, at most those of the largest bucket: one run padded up, or
// exact buckets and a last run for what is left, whichever is less. `cost` is known.
double costOfRuns(Buckets buckets, std::int64_t rows, const RunCost& cost);

}  // namespace infer
