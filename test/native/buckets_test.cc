// SPDX-License-Identifier: Apache-2.0
// What a number of rows becomes in a run of compiled sizes, and what that costs.
#include "native/scheduler/buckets.h"

#include <cstdint>
#include <vector>

#include "native/scheduler/estimate.h"
#include "test/native/check.h"

namespace {

struct PaddedCase {
  const char* name;
  std::vector<std::int64_t> buckets;
  std::int64_t rows;
  std::int64_t padded;
};

const std::vector<PaddedCase> kPadded = {
    {"without buckets rows stay what they are", {}, 5, 5},
    {"rows become the next bucket", {1, 4, 8}, 5, 8},
    {"a bucket stays what it is", {1, 4, 8}, 4, 4},
    {"no rows become the smallest bucket", {2, 4}, 0, 2},
    {"one bucket takes all", {16}, 3, 16},
};

const check::AddEach kRows(kPadded, [](const PaddedCase& row) {
  check::equal(infer::paddedRows(row.buckets, row.rows), row.padded, "rows");
});

struct CostCase {
  const char* name;
  std::vector<std::int64_t> buckets;
  std::int64_t rows;
  infer::RunCost cost;
  double expected;  // by hand
};

constexpr infer::RunCost kRowsCost = {.known = true, .base = 0, .perRow = 10};
constexpr infer::RunCost kRunsCost = {.known = true, .base = 100, .perRow = 1};

const std::vector<CostCase> kCosts = {
    {"5 of 1, 4, 8 where rows cost: 4 + 1", {1, 4, 8}, 5, kRowsCost, 50},
    {"5 of 1, 4, 8 where runs cost: 8", {1, 4, 8}, 5, kRunsCost, 108},
    {"7 of 2, 4, 8 where rows cost: 8 is as good as 4 + 2 + 2", {2, 4, 8}, 7, kRowsCost, 80},
    {"5 of 2, 4, 8 where rows cost: 4 + 2", {2, 4, 8}, 5, kRowsCost, 60},
    {"3 of 1, 8 where rows cost: three of 1", {1, 8}, 3, kRowsCost, 30},
    {"less than the smallest bucket: the smallest", {4, 8}, 1, kRowsCost, 40},
    {"an exact bucket: that", {4, 8}, 8, kRunsCost, 108},
    {"no rows: nothing is less than the smallest", {4, 8}, 0, kRunsCost, 104},
};

const check::AddEach kCost(kCosts, [](const CostCase& row) {
  check::equal(infer::costOfRuns(row.buckets, row.rows, row.cost), row.expected, "nanoseconds");
});

}  // namespace
