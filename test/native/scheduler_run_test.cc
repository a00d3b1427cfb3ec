// SPDX-License-Identifier: Apache-2.0
// Requests through a whole scheduler: who gets which answer, when batches form, what fails alone.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/run.h"
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

constexpr infer::TimeNs kMillisecond = 1'000'000;
constexpr std::size_t kQuarterOfAll = std::numeric_limits<std::size_t>::max() / 4 + 1;
constexpr infer::TimeNs kHour = infer::TimeNs{3'600'000} * kMillisecond;

// Holds the lane with a first run of request 1, so that what comes after it waits.
void occupy(Rig& rig, const infer::ModelHandle& model) {
  rig.stage->holdRuns(true);
  rig.submit(model, {{.id = 1, .content = {.value = 1}}});
  rig.stage->waitForRuns(1);
}

const check::Add kOwnRows("every request gets the rows that it asked for", [] {
  Rig rig(2);
  const auto model = rig.load();
  for (std::uint64_t id = 1; id <= 200; ++id) {
    const auto rows = static_cast<std::int64_t>(id % 5);
    rig.submit(model, {{.id = id, .content = {.rows = rows, .value = static_cast<float>(id)}}});
  }
  rig.inbox->waitFor(200);
  check::equal(rig.wrongAnswers(1, 200), "", "all 200 answers right");
  for (std::uint64_t id = 1; id <= 200; ++id) {
    const auto answer = rig.inbox->answer(id);
    check::equal(answer.value().front().shape[0], static_cast<std::int64_t>(id % 5),
                 "rows of request " + std::to_string(id));
  }
});

const check::Add kGrows("what waits while the lane is busy shares the next run", [] {
  Rig rig;
  const auto model = rig.load();
  occupy(rig, model);
  rig.submit(model, 2, 65);
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(65);
  const auto runs = rig.stage->runs();
  check::equal(runs.size(), std::size_t{3}, "runs of 1, 32 and 32 rows");
  check::equal(runs.back().rows, 32, "rows of the last run");
  check::equal(model->metrics.batchCount(), std::uint64_t{3}, "counted batches");
  check::equal(model->metrics.rowCount(), std::uint64_t{65}, "counted rows");
  check::equal(rig.wrongAnswers(1, 65), "", "all answers right");
  check::equal(rig.inbox->deliveries(), std::size_t{3}, "one delivery a batch");
});

const check::Add kShapes("only requests of one shape share a run", [] {
  Rig rig;
  const auto model = rig.load();
  occupy(rig, model);
  rig.submit(model, {{.id = 2, .content = {.value = 2, .width = 3}},
                     {.id = 3, .content = {.value = 3, .width = 4}},
                     {.id = 4, .content = {.value = 4, .width = 3}}});
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(4);
  check::equal(rig.stage->runs().size(), std::size_t{3}, "runs: 1; 2 and 4; 3");
  check::equal(rig.wrongAnswers(1, 4), "", "all answers right");
});

const check::Add kPoison("one bad row among 31 good ones fails alone", [] {
  Rig rig;
  const auto model = rig.load();
  occupy(rig, model);
  rig.submit(model, 2, 12);
  rig.submit(model, {{.id = 13, .content = {.value = -1}}});
  rig.submit(model, 14, 33);
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(33);
  check::equal(rig.wrongAnswers(1, 12), "", "answers before the bad one right");
  check::equal(rig.wrongAnswers(14, 33), "", "answers behind the bad one right");
  check::failed(rig.inbox->answer(13), ErrorCode::kEngineFailed, "negative row");
  // One run to occupy, one of 32, then two at each halving of 32, 16, 8, 4 and 2.
  check::equal(rig.stage->runs().size(), std::size_t{12}, "runs");
  check::equal(model->metrics.errorCount(static_cast<std::size_t>(ErrorCode::kEngineFailed)),
               std::uint64_t{1}, "counted failures");
});

const check::Add kTooLarge("a batch that does not fit into memory is run in halves", [] {
  Rig rig;
  const auto model = rig.load();
  occupy(rig, model);
  infer::Requests requests;
  std::vector<float> values = {1, 2};
  for (std::uint64_t id = 2; id <= 3; ++id) {
    auto request = test::makeRequest(rig.inbox, id, {});
    // Two of these are more bytes than a size can say; nothing but pack() looks at more than two
    // values of one.
    request->inputs.front().bytes =
        infer::Bytes::adopt(nullptr, reinterpret_cast<std::byte*>(values.data()), kQuarterOfAll);
    requests.push_back(std::move(request));
  }
  rig.scheduler->submit(*model, std::move(requests));
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(3);
  for (std::uint64_t id = 2; id <= 3; ++id) {
    const auto answer = rig.inbox->answer(id);
    if (check::succeeded(answer, "an answer")) {
      check::equal(test::valuesOf<float>(answer.value().front()), std::vector<float>{2, 4},
                   "the doubles");
    }
  }
});

const check::Add kNotBatchable("a model without free rows runs one request at a time", [] {
  Rig rig;
  rig.stage->signature.outputs.front().batchAxis.reset();
  auto spec = rig.spec();
  spec.limits.maxBatch = 0;
  const auto model = rig.load(spec);
  check::equal(model->queue.limits().batchable, false, "batchable");
  occupy(rig, model);
  rig.submit(model, 2, 5);
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(5);
  check::equal(rig.stage->runs().size(), std::size_t{5}, "runs");
  check::equal(rig.wrongAnswers(1, 5), "", "all answers right");
});

const check::Add kWrongAxis("a model that loses the batch axis still answers one at a time", [] {
  Rig rig;
  rig.stage->compute = [](const infer::Batch& batch) {
    return Result<Outputs>(Outputs{test::floats({1}, {static_cast<float>(batch.rows)})});
  };
  const auto model = rig.load();
  occupy(rig, model);
  rig.submit(model, 2, 3);
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(3);
  check::equal(rig.stage->runs().size(), std::size_t{4}, "runs: 1; both; each");
  check::succeeded(rig.inbox->answer(2), "an answer");
});

const check::Add kLate("a request whose deadline passes in the queue is not run", [] {
  Rig rig;
  const auto model = rig.load();
  occupy(rig, model);
  infer::Requests requests;
  requests.push_back(test::makeRequest(rig.inbox, 2, {.value = 2}));
  requests.back()->deadline = 5 * kMillisecond;
  requests.push_back(test::makeRequest(rig.inbox, 3, {.value = 3}));
  requests.back()->deadline = kHour;
  rig.scheduler->submit(*model, std::move(requests));
  rig.clock.set(5 * kMillisecond);
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(3);
  check::failed(rig.inbox->answer(2), ErrorCode::kDeadline, "deadline");
  check::equal(rig.wrongAnswers(3, 3), "", "the one in time answered");
  check::equal(rig.stage->runs().size(), std::size_t{2}, "runs");
});

const check::Add kCancelWaiting("a cancelled request leaves the queue at once", [] {
  Rig rig;
  const auto model = rig.load();
  occupy(rig, model);
  rig.submit(model, 2, 3);
  rig.scheduler->cancel(*model, rig.inbox, {2}, {ErrorCode::kCancelled, "gone", {}});
  check::failed(rig.inbox->answer(2), ErrorCode::kCancelled, "gone");
  check::equal(model->queue.depth(), std::size_t{1}, "requests that wait");
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(3);
  check::equal(rig.stage->runs().back().rows, 1, "rows of the run after it");
  check::equal(rig.wrongAnswers(3, 3), "", "the other one answered");
});

const check::Add kCancelRunning("a cancelled run is answered at once and stopped", [] {
  Rig rig;
  const auto model = rig.load();
  occupy(rig, model);
  rig.scheduler->cancel(*model, rig.inbox, {1}, {ErrorCode::kCancelled, "gone", {}});
  check::failed(rig.inbox->answer(1), ErrorCode::kCancelled, "gone");
  rig.stage->waitForStops(1);
  rig.stage->holdRuns(false);
  rig.submit(model, 2, 2);
  rig.inbox->waitFor(2);
  check::equal(rig.wrongAnswers(2, 2), "", "the lane goes on");
  check::equal(rig.inbox->timesAnswered(1), std::size_t{1}, "answers to the cancelled one");
});

const check::Add kCancelOne("a run that somebody still waits for is not stopped", [] {
  Rig rig;
  const auto model = rig.load();
  occupy(rig, model);
  rig.submit(model, 2, 3);
  rig.stage->letOneRunGo();
  rig.stage->waitForRuns(2);
  rig.scheduler->cancel(*model, rig.inbox, {2}, {ErrorCode::kCancelled, "gone", {}});
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(3);
  check::equal(rig.wrongAnswers(3, 3), "", "the other one answered");
  check::equal(rig.stage->runs().back().rows, 2, "rows of the shared run");
  check::equal(rig.stage->stops(), std::size_t{0}, "stopped runs");
  check::equal(rig.inbox->timesAnswered(2), std::size_t{1}, "answers to the cancelled one");
});

const check::Add kCancelAll("a run that nobody waits for any more is stopped", [] {
  Rig rig;
  const auto model = rig.load();
  occupy(rig, model);
  rig.submit(model, 2, 3);
  rig.stage->letOneRunGo();
  rig.stage->waitForRuns(2);
  rig.scheduler->cancel(*model, rig.inbox, {2}, {ErrorCode::kCancelled, "gone", {}});
  rig.scheduler->cancel(*model, rig.inbox, {3}, {ErrorCode::kDeadline, "late", {}});
  rig.stage->waitForStops(1);
  check::failed(rig.inbox->answer(3), ErrorCode::kDeadline, "late");
});

const check::Add kCancelNothing("cancelling what was answered or never was does nothing", [] {
  Rig rig;
  const auto model = rig.load();
  rig.submit(model, 1, 1);
  rig.inbox->waitFor(1);
  rig.scheduler->cancel(*model, rig.inbox, {1}, {ErrorCode::kCancelled, "gone", {}});
  rig.scheduler->cancel(*model, rig.inbox, {7}, {ErrorCode::kCancelled, "gone", {}});
  check::equal(rig.wrongAnswers(1, 1), "", "the answer from before");
  check::equal(rig.inbox->count(), std::size_t{1}, "answers");
});

const check::Add kFull("a full queue refuses the rest at once and keeps what it took", [] {
  Rig rig;
  auto spec = rig.spec();
  spec.limits.maxQueue = 3;
  const auto model = rig.load(spec);
  occupy(rig, model);
  rig.submit(model, 2, 6);
  check::failed(rig.inbox->answer(5), ErrorCode::kQueueFull, "3 requests of 3 rows");
  check::failed(rig.inbox->answer(6), ErrorCode::kQueueFull, "maxQueue");
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(6);
  check::equal(rig.wrongAnswers(1, 4), "", "the ones that fitted answered");
  check::equal(model->metrics.requestCount(), std::uint64_t{4}, "accepted");
  check::equal(model->metrics.completedCount(), std::uint64_t{4}, "completed");
});

const check::Add kCharged("a batch costs all the runs it took, also those of a poisoned one", [] {
  Rig rig;
  rig.stage->compute = [&rig](const infer::Batch& inputs) {
    rig.clock.set(rig.clock.now() + 10);
    return test::doubleOrFail(inputs);
  };
  const auto model = rig.load();
  const auto used = [&](float third) {
    infer::Requests requests;
    for (std::uint64_t id = 1; id <= 4; ++id) {
      const std::uint64_t unique = rig.inbox->count() + id;
      requests.push_back(test::makeRequest(rig.inbox, unique, {.value = id == 3 ? third : 1}));
    }
    infer::Taken batch;
    batch.requests = std::move(requests);
    const infer::TimeNs time = infer::runBatch(*model, batch, rig.clock);
    infer::answerBatch(*model, batch, rig.clock);
    return time;
  };
  check::equal(used(1), infer::TimeNs{10}, "one run");
  check::equal(used(-1), infer::TimeNs{50}, "one of four, two of two, two of one");
});

}  // namespace
