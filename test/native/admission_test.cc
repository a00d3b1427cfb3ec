// SPDX-License-Identifier: Apache-2.0
// Who may join a queue, case by case, and how its pace is learned.
#include "native/scheduler/admission.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/scheduler/estimate.h"
#include "native/scheduler/policy.h"
#include "test/native/check.h"

namespace {

using infer::DrainRate;
using infer::ErrorCode;
using infer::isFull;
using infer::kMillisecond;
using infer::kNever;
using infer::Limits;
using infer::Load;
using infer::Pace;
using infer::RunCost;
using infer::TimeNs;

constexpr Limits kLimits = {.batchable = true,
                            .maxBatch = 8,
                            .maxDelay = 0,
                            .maxQueue = 10,
                            .maxQueueRows = 100,
                            .maxQueueBytes = 1000};
constexpr double kMs = kMillisecond;
// A run takes 4 ms and 1 ms a row; a row leaves every 2 ms.
constexpr Pace kPace{.cost = {.known = true, .steady = true, .base = 4 * kMs, .perRow = kMs},
                     .perRow = 2 * kMs};

struct RefusalCase {
  const char* name;
  Load waiting;
  Load newcomer;
  Pace pace;
  TimeNs left;
  std::optional<ErrorCode> code;
  const char* message = "";
  TimeNs retryAfter = 0;
};

const std::vector<RefusalCase> kRefusals = {
    {"nothing waits and all fits", {}, {1, 1, 1}, {}, kNever, {}},
    {"the last request that fits", {9, 9, 9}, {1, 1, 1}, {}, kNever, {}},
    {"a request too many",
     {10, 10, 10},
     {1, 1, 1},
     {},
     kNever,
     ErrorCode::kQueueFull,
     "10 requests of 10 rows and 10 bytes wait, expected at most 10 requests (batching.maxQueue)"},
    {"the last row that fits", {1, 60, 10}, {1, 40, 10}, {}, kNever, {}},
    {"a row too many",
     {1, 60, 10},
     {1, 41, 10},
     {},
     kNever,
     ErrorCode::kQueueFull,
     "expected at most 100 rows (batching.maxQueueRows)"},
    {"the last byte that fits", {1, 1, 400}, {1, 1, 600}, {}, kNever, {}},
    {"a byte too many",
     {1, 1, 400},
     {1, 1, 601},
     {},
     kNever,
     ErrorCode::kQueueFull,
     "expected at most 1000 bytes (batching.maxQueueBytes)"},
    {"an empty queue takes what is larger than every bound", {}, {1, 999, 9999}, {}, kNever, {}},
    {"more than what can be said does not wrap",
     {1, 1, 1},
     {1, 1, SIZE_MAX},
     {},
     kNever,
     ErrorCode::kQueueFull,
     "maxQueueBytes"},
    {"a full queue says when it is empty again",
     {10, 20, 10},
     {1, 1, 1},
     kPace,
     kNever,
     ErrorCode::kQueueFull,
     "queue is full",
     40 * kMillisecond},
    {"an answer just in time: 5 rows leave, then a run of 6",
     {5, 5, 5},
     {1, 1, 1},
     kPace,
     20 * kMillisecond,
     {}},
    {"an answer just too late",
     {5, 5, 5},
     {1, 1, 1},
     kPace,
     20 * kMillisecond - 1,
     ErrorCode::kDeadline,
     "expected in 20 ms, after the deadline in 19 ms: 5 rows wait",
     10 * kMillisecond},
    {"the run is a full one at most", {9, 40, 9}, {1, 1, 1}, kPace, 92 * kMillisecond, {}},
    {"a deadline that has passed",
     {1, 1, 1},
     {1, 1, 1},
     kPace,
     -5,
     ErrorCode::kDeadline,
     "after the deadline in 0 ms",
     2 * kMillisecond},
    {"an empty queue takes any deadline: only a run corrects what is expected",
     {},
     {1, 1, 1},
     kPace,
     1,
     {}},
    {"nothing is expected before the pace is known",
     {9, 90, 9},
     {1, 1, 1},
     {.cost = kPace.cost},
     1,
     {}},
    {"nor of a model whose runs differ",
     {9, 90, 9},
     {1, 1, 1},
     {.cost = {.known = true, .base = kMs, .perRow = kMs}, .perRow = kMs},
     1,
     {}},
    {"nor before a run is", {9, 90, 9}, {1, 1, 1}, {.perRow = kMs}, 1, {}},
};

const check::AddEach kRefusalCases(kRefusals, [](const RefusalCase& row) {
  const auto error = refusal(row.waiting, row.newcomer, kLimits, row.pace, row.left);
  check::equal(error.has_value(), row.code.has_value(), "refused");
  if (error) {
    check::equal(error->code, *row.code, "code");
    check::that(error->message.find(row.message) != std::string::npos, error->message.c_str());
    check::equal(error->retryAfter, row.retryAfter, "retry after");
  }
});

const check::Add kBuckets("a run that is padded takes the time of its bucket", [] {
  Limits limits = kLimits;
  limits.buckets = {8};
  // One row leaves in 2 ms, then a run of 8 rows takes 12.
  check::that(!refusal({1, 1, 1}, {1, 1, 1}, limits, kPace, 14 * kMillisecond), "in time");
  check::that(refusal({1, 1, 1}, {1, 1, 1}, limits, kPace, 14 * kMillisecond - 1).has_value(),
              "too late");
});

const check::Add kFull("a queue is full when the least request would not fit", [] {
  check::that(!isFull({9, 99, 999}, kLimits), "room for one");
  check::that(isFull({10, 1, 1}, kLimits), "requests");
  check::that(isFull({1, 100, 1}, kLimits), "rows");
  check::that(isFull({1, 1, 1000}, kLimits), "bytes");
  check::that(!isFull({}, kLimits), "empty");
});

const check::Add kRate("the pace is that of rows leaving while others wait", [] {
  DrainRate rate;
  check::equal(rate.perRow(), 0.0, "unknown");
  rate.took(8, 1000, true);
  check::equal(rate.perRow(), 0.0, "one departure says nothing");
  rate.took(4, 1400, true);
  check::equal(rate.perRow(), 100.0, "4 rows in 400");
  rate.took(4, 1800, false);
  rate.took(4, 999'999, true);
  check::equal(rate.perRow(), 100.0, "the silence of an empty queue does not count");
  for (int i = 0; i < 100; ++i) {
    rate.took(2, 1'000'000 + TimeNs{400} * i, true);
  }
  check::that(rate.perRow() > 199 && rate.perRow() < 201, "it follows what changes");
});

const check::Add kHiccup("one departure that takes forever counts for four", [] {
  DrainRate rate;
  for (int i = 0; i < 100; ++i) {
    rate.took(1, TimeNs{100} * i, true);
  }
  rate.took(1, 1'000'000'000, true);
  check::that(rate.perRow() < 135, "the others count as well");
});

}  // namespace
