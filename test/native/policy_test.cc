// SPDX-License-Identifier: Apache-2.0
// The batch decision, case by case, at times that the cases choose.
#include "native/scheduler/policy.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "native/base/clock.h"
#include "native/scheduler/estimate.h"
#include "test/native/check.h"

namespace {

using infer::kNever;
using infer::Limits;
using infer::Measured;
using infer::RunCost;
using infer::TimeNs;

struct Item {
  std::int64_t rows = 1;
  std::vector<std::int64_t> tail = {4};
  TimeNs arrived = 0;
  TimeNs deadline = kNever;
};

struct PolicyCase {
  const char* name;
  std::vector<Item> items;
  Limits limits;
  TimeNs now;
  std::vector<std::size_t> take;
  TimeNs waitUntil = kNever;
  std::optional<Measured> measured = std::nullopt;
  std::int64_t part = 0;
};

const Limits kEight = {.batchable = true, .maxBatch = 8, .maxDelay = 0, .maxQueue = 100};
const Limits kPatient = {.batchable = true, .maxBatch = 8, .maxDelay = 100, .maxQueue = 100};
const Limits kSingle = {.batchable = false, .maxBatch = 1, .maxDelay = 100, .maxQueue = 100};

const Limits kFixedDelay = {.batchable = true,
                            .maxBatch = 8,
                            .maxDelay = 100,
                            .mode = infer::BatchMode::kFixed,
                            .maxQueue = 100};
const Limits kBuckets = {
    .batchable = true, .maxBatch = 8, .maxDelay = 0, .maxQueue = 100, .buckets = {1, 4, 8}};

// The time of a run lies in its rows, or in its base.
constexpr RunCost kByRow = {.known = true, .base = 0, .perRow = 1000};
constexpr RunCost kByRun = {.known = true, .base = 1000, .perRow = 10};

// One request of each of `count` shapes.
std::vector<Item> shapes(std::int64_t count) {
  std::vector<Item> items;
  items.reserve(static_cast<std::size_t>(count));
  for (std::int64_t width = 0; width < count; ++width) {
    items.push_back({.tail = {width}, .arrived = 10});
  }
  return items;
}

const std::vector<PolicyCase> kCases = {
    {"sixteen shapes wait for more of theirs", shapes(16), kFixedDelay, 20, {}, 110},
    {"where more do, the oldest leaves", shapes(17), kFixedDelay, 20, {0}},
    {"nothing waits: nothing to do until something comes", {}, kEight, 5, {}},
    {"without maxDelay a lone request leaves at once", {{}}, kEight, 5, {0}},
    {"everything that waits leaves together", {{}, {}, {}}, kEight, 5, {0, 1, 2}},
    {"a batch ends at maxBatch", {{.rows = 5}, {.rows = 3}, {.rows = 1}}, kEight, 5, {0, 1}},
    {"maxBatch counts rows, not requests", {{.rows = 4}, {.rows = 4}, {}}, kEight, 5, {0, 1}},
    {"what does not fit ends the batch, so nobody overtakes",
     {{.rows = 5}, {.rows = 4}, {.rows = 1}},
     kEight,
     5,
     {0}},
    {"a request above maxBatch gives a batch of its rows",
     {{.rows = 9}, {.rows = 1}},
     kEight,
     5,
     {0},
     kNever,
     std::nullopt,
     8},
    {"its last rows are a request like any other", {{.rows = 1}, {.rows = 1}}, kEight, 5, {0, 1}},
    {"it fills a batch that others began",
     {{.rows = 5}, {.rows = 20}, {.rows = 1}},
     kEight,
     5,
     {0, 1},
     kNever,
     std::nullopt,
     3},
    {"one of maxBatch rows is not divided", {{.rows = 5}, {.rows = 8}}, kEight, 5, {0}},
    {"it leaves idle lanes their share of its rows",
     {{.rows = 9}},
     kEight,
     5,
     {0},
     kNever,
     Measured{.cost = kByRow, .idleLanes = 2},
     3},
    {"a request above maxBatch does not wait for more",
     {{.rows = 9}},
     kPatient,
     5,
     {0},
     kNever,
     std::nullopt,
     8},
    {"another shape is passed over", {{}, {.tail = {5}}, {}}, kEight, 5, {0, 2}},
    {"one that does not fit of another shape ends nothing",
     {{.rows = 5}, {.rows = 8, .tail = {5}}, {.rows = 3}},
     kEight,
     5,
     {0, 2}},
    {"an axis more is another shape", {{.tail = {2, 2}}, {.tail = {2}}}, kEight, 5, {0}},
    {"the oldest request leads, whatever is behind it",
     {{.tail = {5}}, {}, {}, {}, {}, {}, {}, {}, {}},
     kEight,
     5,
     {0}},
    {"zero rows join without taking room",
     {{.rows = 0}, {.rows = 8}, {.rows = 0}},
     kEight,
     5,
     {0, 1}},
    {"with maxDelay an incomplete batch waits for it", {{.arrived = 10}}, kPatient, 50, {}, 110},
    {"the wait counts from the oldest request",
     {{.arrived = 10}, {.arrived = 60}},
     kPatient,
     70,
     {},
     110},
    {"after maxDelay an incomplete batch leaves",
     {{.arrived = 10}, {.arrived = 60}},
     kPatient,
     110,
     {0, 1}},
    {"a full batch does not wait",
     {{.rows = 7, .arrived = 10}, {.arrived = 11}},
     kPatient,
     11,
     {0, 1}},
    {"a batch that the next request does not fit into does not wait",
     {{.rows = 7, .arrived = 10}, {.rows = 2, .arrived = 11}},
     kPatient,
     11,
     {0}},
    {"other shapes do not fill a batch",
     {{.arrived = 10}, {.rows = 7, .tail = {5}, .arrived = 11}},
     kPatient,
     20,
     {},
     110},
    {"while the oldest waits, a full batch of another shape leaves",
     {{.arrived = 10}, {.rows = 6, .tail = {5}, .arrived = 10}, {.rows = 2, .tail = {5}}},
     kPatient,
     20,
     {1, 2}},
    {"a deadline leaves half of its time to the run",
     {{.arrived = 10, .deadline = 50}},
     kPatient,
     15,
     {},
     30},
    {"at half of the deadline the batch leaves",
     {{.arrived = 10, .deadline = 50}},
     kPatient,
     30,
     {0}},
    {"the earliest deadline of the batch counts",
     {{.arrived = 10}, {.arrived = 12, .deadline = 32}},
     kPatient,
     15,
     {},
     22},
    {"a deadline leaves time for a full run before that",
     {{.arrived = 10, .deadline = 1150}},
     kPatient,
     15,
     {},
     40,
     Measured{.cost = kByRun, .gap = 20}},
    {"a deadline of another shape wakes the lane as well",
     {{.arrived = 10}, {.tail = {5}, .arrived = 12, .deadline = 32}},
     kPatient,
     15,
     {},
     22},
    {"and then its batch leaves before the oldest",
     {{.arrived = 10}, {.tail = {5}, .arrived = 12, .deadline = 32}},
     kPatient,
     22,
     {1}},
    {"a late deadline does not lengthen the wait",
     {{.arrived = 10, .deadline = 10'000}},
     kPatient,
     15,
     {},
     110},
    {"a model that cannot be batched takes one and never waits", {{}, {}}, kSingle, 5, {0}},
    {"an idle lane is left its share where rows are what costs",
     {{}, {}, {}, {}},
     kEight,
     5,
     {0, 1},
     kNever,
     Measured{.cost = kByRow, .idleLanes = 1}},
    {"where the base is what costs, one lane takes all",
     {{}, {}, {}, {}},
     kEight,
     5,
     {0, 1, 2, 3},
     kNever,
     Measured{.cost = kByRun, .idleLanes = 1}},
    {"a share is rounded up, so that one request is not shared",
     {{}, {}, {}},
     kEight,
     5,
     {0, 1},
     kNever,
     Measured{.cost = kByRow, .idleLanes = 1}},
    {"with nobody idle there is no share",
     {{}, {}, {}, {}},
     kEight,
     5,
     {0, 1, 2, 3},
     kNever,
     Measured{.cost = kByRow}},
    {"the share counts only what could join",
     {{}, {.tail = {5}}, {.tail = {5}}, {}},
     kEight,
     5,
     {0},
     kNever,
     Measured{.cost = kByRow, .idleLanes = 1}},
    {"a fixed delay is waited out although a lane is idle",
     {{.arrived = 10}, {.arrived = 10}, {.arrived = 10}, {.arrived = 10}},
     kFixedDelay,
     20,
     {},
     110,
     Measured{.cost = kByRow, .idleLanes = 1}},
    {"after it, an idle lane has its share",
     {{.arrived = 10}, {.arrived = 10}, {.arrived = 10}, {.arrived = 10}},
     kFixedDelay,
     110,
     {0, 1},
     kNever,
     Measured{.cost = kByRow, .idleLanes = 1}},
    {"while another lane is idle, nobody waits for more rows",
     {{.arrived = 10}},
     kPatient,
     20,
     {0},
     kNever,
     Measured{.cost = kByRow, .gap = 5, .idleLanes = 1}},
    {"with no lane idle, the same request waits",
     {{.arrived = 10}},
     kPatient,
     11,
     {},
     20,
     Measured{.cost = kByRow, .gap = 5}},
    {"a lone request does not wait when nothing is known of arrivals",
     {{.arrived = 10}},
     kPatient,
     10,
     {0},
     kNever,
     Measured{.cost = kByRun}},
    {"nor when the next is expected later than its own run would take",
     {{.arrived = 10}},
     kPatient,
     10,
     {0},
     kNever,
     Measured{.cost = kByRun, .gap = 2000}},
    {"it waits for twice the gap when the next is near",
     {{.arrived = 10}},
     kPatient,
     10,
     {},
     50,
     Measured{.cost = kByRun, .gap = 20}},
    {"a stream that fell silent is not waited for",
     {{.arrived = 10}},
     kPatient,
     50,
     {0},
     kNever,
     Measured{.cost = kByRun, .gap = 20}},
    {"the more wait, the less the next is worth waiting for",
     {{.arrived = 10}, {.arrived = 10}, {.arrived = 10}},
     kPatient,
     10,
     {0, 1, 2},
     kNever,
     Measured{.cost = kByRun, .gap = 400}},
    {"maxDelay stays the upper bound",
     {{.arrived = 10}},
     kPatient,
     105,
     {},
     110,
     Measured{.cost = kByRun, .gap = 90}},
    {"while nothing is measured a batch is padded to the next bucket",
     {{}, {}, {}, {}, {}},
     kBuckets,
     5,
     {0, 1, 2, 3, 4}},
    {"where rows cost, exact buckets are run one after the other",
     {{}, {}, {}, {}, {}},
     kBuckets,
     5,
     {0, 1, 2, 3},
     kNever,
     Measured{.cost = kByRow}},
    {"where runs cost, one is padded",
     {{}, {}, {}, {}, {}},
     kBuckets,
     5,
     {0, 1, 2, 3, 4},
     kNever,
     Measured{.cost = kByRun}},
    {"a bucket that requests do not fill exactly is padded where that is less",
     {{.rows = 3}, {.rows = 2}},
     kBuckets,
     5,
     {0},
     kNever,
     Measured{.cost = kByRow}},
    {"a request is not cut for a bucket",
     {{.rows = 5}},
     kBuckets,
     5,
     {0},
     kNever,
     Measured{.cost = kByRow}},
    {"a batch of a bucket's size stays whole",
     {{.rows = 3}, {}, {.rows = 4}},
     kBuckets,
     5,
     {0, 1, 2},
     kNever,
     Measured{.cost = kByRow}},
    {"an idle lane is left its share in buckets",
     {{}, {}, {}, {}, {}, {}, {}},
     kBuckets,
     5,
     {0, 1, 2, 3},
     kNever,
     Measured{.cost = kByRow, .idleLanes = 2}},
};

const check::AddEach kDecided(kCases, [](const PolicyCase& row) {
  std::vector<infer::QueuedItem> items;
  items.reserve(row.items.size());
  for (const Item& item : row.items) {
    items.push_back({item.rows, item.tail, item.arrived, item.deadline});
  }
  const infer::Decision decision = infer::decide(items, row.limits, row.now, row.measured);
  check::equal(decision.take, row.take, "the positions of the row");
  check::equal(decision.waitUntil, row.waitUntil, "when to ask again");
  check::equal(decision.part, row.part, "rows of the last one");
});

}  // namespace
