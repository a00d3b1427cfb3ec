// SPDX-License-Identifier: Apache-2.0
// Requests with more rows than a run takes, through a whole scheduler: one answer, whatever becomes
// of the parts.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/scheduler.h"
#include "test/native/check.h"
#include "test/native/inbox.h"
#include "test/native/rig.h"
#include "test/native/tensors.h"
#include "test/native/test_engine.h"

namespace {

using infer::ErrorCode;
using infer::Outputs;
using infer::Result;
using test::Rig;

infer::ModelHandle loadOfEight(Rig& rig) {
  auto spec = rig.spec();
  spec.limits.maxBatch = 8;
  return rig.load(spec);
}

std::vector<std::int64_t> rowsOfRuns(const Rig& rig) {
  std::vector<std::int64_t> rows;
  for (const test::RunSeen& run : rig.stage->runs()) {
    rows.push_back(run.rows);
  }
  return rows;
}

// `rows` rows of one value each, counted up from `first`.
std::vector<float> counted(std::int64_t rows, float first) {
  std::vector<float> values(static_cast<std::size_t>(rows));
  for (float& value : values) {
    value = first++;
  }
  return values;
}

void submitCounted(Rig& rig, const infer::ModelHandle& model, std::uint64_t id,
                   const std::vector<float>& values) {
  infer::Requests one;
  const auto rows = static_cast<std::int64_t>(values.size());
  one.push_back(test::makeRequest(rig.inbox, id, {.rows = rows, .width = 1}));
  one.back()->inputs.front() = test::floats({rows, 1}, values);
  rig.scheduler->submit(*model, std::move(one));
}

// The answer to `id` is the doubles of these values, given once.
void expectDoubles(const Rig& rig, std::uint64_t id, std::vector<float> values) {
  check::equal(rig.inbox->timesAnswered(id), std::size_t{1}, "answers to " + std::to_string(id));
  const auto answer = rig.inbox->answer(id);
  if (check::succeeded(answer, "an answer to " + std::to_string(id))) {
    const auto rows = static_cast<std::int64_t>(values.size());
    std::ranges::for_each(values, [](float& value) { value *= 2; });
    check::equal(answer.value().front().shape, infer::Shape{rows, 1}, "a shape");
    check::equal(test::valuesOf<float>(answer.value().front()), values, "every row in its place");
  }
}

// Holds the lane with a run of request 1, so that what comes after it waits.
void occupy(Rig& rig, const infer::ModelHandle& model) {
  rig.stage->holdRuns(true);
  submitCounted(rig, model, 1, {1});
  rig.stage->waitForRuns(1);
}

using Rows = std::vector<std::int64_t>;

const check::Add kParts("a request of 20 rows runs as 8, 8 and 4 and is answered once", [] {
  Rig rig;
  const auto model = loadOfEight(rig);
  submitCounted(rig, model, 1, counted(20, 5));
  rig.inbox->waitFor(1);
  expectDoubles(rig, 1, counted(20, 5));
  check::equal(rowsOfRuns(rig), Rows{8, 8, 4}, "the runs");
  check::equal(model->metrics.requestCount(), std::uint64_t{1}, "counted requests");
  check::equal(model->metrics.completedCount(), std::uint64_t{1}, "counted answers");
  check::equal(model->metrics.rowCount(), std::uint64_t{20}, "counted rows");
  check::equal(model->queue.waiting().rows, 0, "rows that wait");
});

const check::Add kMixed("parts share runs with the rows of others", [] {
  Rig rig;
  const auto model = loadOfEight(rig);
  occupy(rig, model);
  submitCounted(rig, model, 2, counted(5, 100));
  submitCounted(rig, model, 3, counted(20, 200));
  submitCounted(rig, model, 4, counted(3, 300));
  check::equal(model->queue.waiting().rows, 28, "rows that wait");
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(4);
  expectDoubles(rig, 2, counted(5, 100));
  expectDoubles(rig, 3, counted(20, 200));
  expectDoubles(rig, 4, counted(3, 300));
  check::equal(rowsOfRuns(rig), Rows{1, 8, 8, 8, 4}, "the runs");
});

const check::Add kBad("a part that fails fails its request once, and nobody else's", [] {
  Rig rig;
  const auto model = loadOfEight(rig);
  occupy(rig, model);
  submitCounted(rig, model, 2, counted(5, 100));
  auto bad = counted(20, 200);
  bad[1] = -1;
  submitCounted(rig, model, 3, bad);
  submitCounted(rig, model, 4, counted(3, 300));
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(4);
  expectDoubles(rig, 2, counted(5, 100));
  expectDoubles(rig, 4, counted(3, 300));
  check::equal(rig.inbox->timesAnswered(3), std::size_t{1}, "answers to 3");
  check::failed(rig.inbox->answer(3), ErrorCode::kEngineFailed, "negative row");
  check::equal(rowsOfRuns(rig), Rows{1, 8, 5, 3, 3}, "halves of the batch, and no more of 3");
});

const check::Add kLateBad("the last of its parts may fail it as well", [] {
  Rig rig;
  const auto model = loadOfEight(rig);
  auto bad = counted(20, 200);
  bad[19] = -1;
  submitCounted(rig, model, 1, bad);
  rig.inbox->waitFor(1);
  check::failed(rig.inbox->answer(1), ErrorCode::kEngineFailed, "negative row");
  submitCounted(rig, model, 2, counted(9, 1));
  rig.inbox->waitFor(2);
  expectDoubles(rig, 2, counted(9, 1));
});

const check::Add kBadOfTwo("a part that fails stops those on other lanes", [] {
  Rig rig(2);
  const auto model = loadOfEight(rig);
  rig.stage->holdRuns(true);
  submitCounted(rig, model, 1, std::vector<float>(20, -1));
  rig.stage->waitForRuns(2);
  rig.stage->letOneRunGo();
  rig.stage->waitForStops(1);
  rig.inbox->waitFor(1);
  submitCounted(rig, model, 2, {2});
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(2);
  check::equal(rig.inbox->timesAnswered(1), std::size_t{1}, "answers");
  check::failed(rig.inbox->answer(1), ErrorCode::kEngineFailed, "negative row");
  check::equal(rowsOfRuns(rig), Rows{8, 8, 1}, "no run of the rest");
});

const check::Add kCancelled("cancelling takes the parts that wait and stops those that run", [] {
  Rig rig(2);
  const auto model = loadOfEight(rig);
  rig.stage->holdRuns(true);
  submitCounted(rig, model, 1, counted(20, 1));
  rig.stage->waitForRuns(2);
  rig.scheduler->cancel(*model, rig.inbox, {1}, {ErrorCode::kCancelled, "no longer wanted", {}});
  rig.inbox->waitFor(1);
  rig.stage->waitForStops(2);
  rig.stage->holdRuns(false);
  submitCounted(rig, model, 2, {2});
  rig.inbox->waitFor(2);
  check::equal(rig.inbox->timesAnswered(1), std::size_t{1}, "answers");
  check::failed(rig.inbox->answer(1), ErrorCode::kCancelled, "no longer wanted");
  check::equal(rowsOfRuns(rig), Rows{8, 8, 1}, "no run of the rest");
  check::equal(model->queue.waiting().rows, 0, "rows that wait");
});

const check::Add kLate("a deadline takes the parts that wait and stops those that run", [] {
  Rig rig(2);
  const auto model = loadOfEight(rig);
  rig.stage->holdRuns(true);
  infer::Requests one;
  one.push_back(test::makeRequest(rig.inbox, 1, {.rows = 20, .value = 1}));
  one.back()->deadline = 1000;
  rig.scheduler->submit(*model, std::move(one));
  rig.stage->waitForRuns(2);
  rig.clock.set(2000);
  rig.stage->letOneRunGo();
  rig.stage->waitForStops(1);
  rig.inbox->waitFor(1);
  rig.stage->holdRuns(false);
  submitCounted(rig, model, 2, {2});
  rig.inbox->waitFor(2);
  check::equal(rig.inbox->timesAnswered(1), std::size_t{1}, "answers");
  check::failed(rig.inbox->answer(1), ErrorCode::kDeadline, "while the request waited");
  check::equal(rowsOfRuns(rig), Rows{8, 8, 1}, "no run of the rest");
});

const check::Add kClosed("closing answers a request in parts once", [] {
  Rig rig;
  auto model = loadOfEight(rig);
  rig.stage->holdRuns(true);
  submitCounted(rig, model, 1, counted(20, 1));
  rig.stage->waitForRuns(1);
  Rig::release(model);
  rig.inbox->waitFor(1);
  rig.stage->waitForStops(1);
  rig.stage->holdRuns(false);
  rig.stage->waitForLive(0);
  check::equal(rig.inbox->timesAnswered(1), std::size_t{1}, "answers");
  check::failed(rig.inbox->answer(1), ErrorCode::kClosed, "closed");
});

const check::Add kWrongAxis("an output whose rows are not the part's fails the request", [] {
  Rig rig;
  rig.stage->compute = [](const infer::Batch&) -> Result<Outputs> {
    return Outputs{test::floats({1, 1}, {3})};
  };
  const auto model = loadOfEight(rig);
  submitCounted(rig, model, 1, counted(20, 1));
  rig.inbox->waitFor(1);
  check::failed(rig.inbox->answer(1), ErrorCode::kEngineFailed, "batch of 8 rows");
});

const check::Add kOtherAxes("outputs of parts that do not fit together fail the request", [] {
  Rig rig;
  rig.stage->compute = [](const infer::Batch& inputs) -> Result<Outputs> {
    const std::int64_t rows = inputs.rows;
    return Outputs{
        test::floats({rows, rows}, std::vector<float>(static_cast<std::size_t>(rows * rows), 1))};
  };
  const auto model = loadOfEight(rig);
  submitCounted(rig, model, 1, counted(20, 1));
  rig.inbox->waitFor(1);
  check::failed(rig.inbox->answer(1), ErrorCode::kEngineFailed, "[8, 8] and [4, 4]");
});

const check::Add kMany("requests of every size on four lanes get their own rows", [] {
  Rig rig(4);
  const auto model = loadOfEight(rig);
  constexpr std::uint64_t kRequests = 400;
  for (std::uint64_t id = 1; id <= kRequests; ++id) {
    const auto rows = static_cast<std::int64_t>(id * 7 % 41);
    submitCounted(rig, model, id, counted(rows, static_cast<float>(id)));
  }
  rig.inbox->waitFor(kRequests);
  for (std::uint64_t id = 1; id <= kRequests; ++id) {
    const auto rows = static_cast<std::int64_t>(id * 7 % 41);
    expectDoubles(rig, id, counted(rows, static_cast<float>(id)));
  }
  check::equal(model->queue.running(), std::size_t{0}, "requests that run");
  const auto runs = rowsOfRuns(rig);
  check::that(std::ranges::all_of(runs, [](auto rows) { return rows <= 8; }), "runs of 8 at most");
});

}  // namespace
