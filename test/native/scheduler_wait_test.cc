// SPDX-License-Identifier: Apache-2.0
// What waits for more rows, and several models and channels on the same lanes.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/scheduler/policy.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/scheduler.h"
#include "test/native/check.h"
#include "test/native/fixtures.h"
#include "test/native/inbox.h"
#include "test/native/rig.h"

namespace {

using infer::ErrorCode;
using test::Inbox;
using test::Rig;

constexpr infer::TimeNs kMillisecond = 1'000'000;
constexpr infer::TimeNs kHour = infer::TimeNs{3'600'000} * kMillisecond;

infer::LoadSpec delayed(const Rig& rig, infer::TimeNs maxDelay, const char* file = "affine.onnx") {
  auto spec = rig.spec(test::fixture(file));
  spec.limits.maxDelay = maxDelay;
  spec.limits.mode = infer::BatchMode::kFixed;
  return spec;
}

const check::Add kDelayOne("a lone request waits for others no longer than maxDelay", [] {
  Rig rig(1, Rig::Time::kReal);
  const auto model = rig.load(delayed(rig, 20 * kMillisecond));
  const infer::TimeNs before = rig.realClock.now();
  rig.submit(model, 1, 1);
  rig.inbox->waitFor(1);
  check::that(rig.realClock.now() - before >= 20 * kMillisecond, "20 ms to have passed");
  check::equal(rig.wrongAnswers(1, 1), "", "the answer right");
});

const check::Add kDelayLone("a lone request does not wait while nothing says that others come", [] {
  Rig rig(1, Rig::Time::kReal);
  infer::LoadSpec spec = delayed(rig, kHour);
  spec.limits.mode = infer::BatchMode::kAdaptive;
  const auto model = rig.load(spec);
  rig.submit(model, 1, 1);
  rig.inbox->waitFor(1);  // it would wait for an hour
  check::equal(rig.wrongAnswers(1, 1), "", "the answer right");
});

const check::Add kDelayFull("a full batch does not wait for maxDelay", [] {
  Rig rig(1, Rig::Time::kReal);
  const auto model = rig.load(delayed(rig, kHour));
  for (std::uint64_t id = 1; id <= 32; ++id) {
    rig.submit(model, id, id);
  }
  rig.inbox->waitFor(32);
  check::equal(rig.stage->runs().size(), std::size_t{1}, "runs");
  check::equal(rig.wrongAnswers(1, 32), "", "all answers right");
});

const check::Add kDelayDeadline("an early deadline shortens the wait for more rows", [] {
  Rig rig(1, Rig::Time::kReal);
  const auto model = rig.load(delayed(rig, kHour));
  infer::Requests requests;
  requests.push_back(test::makeRequest(rig.inbox, 1, {.value = 1}));
  requests.back()->deadline = rig.realClock.now() + 2000 * kMillisecond;
  rig.scheduler->submit(*model, std::move(requests));
  rig.inbox->waitFor(1);
  check::equal(rig.wrongAnswers(1, 1), "", "an answer in time");
});

// The lane that is woken for the first request waits for more; held by the second one, it cannot
// serve the first. Several rounds, because it may be the other lane that takes the second one.
const check::Add kTimer("a lane that takes other work leaves its timer to an idle lane", [] {
  Rig rig(2, Rig::Time::kReal);
  const auto waiting = rig.load(delayed(rig, 20 * kMillisecond));
  const auto busy = rig.load(rig.spec(test::fixture("scalar.onnx")));
  for (std::uint64_t round = 1; round <= 10; round += 2) {
    rig.submit(waiting, round, round);
    rig.stage->holdRuns(true);
    rig.submit(busy, round + 1, round + 1);
    rig.stage->waitForRuns(round + 1);
    rig.stage->holdRuns(false);
    rig.inbox->waitFor(round + 1);
  }
  check::equal(rig.wrongAnswers(1, 10), "", "all answers right");
});

const check::Add kTwoModels("two models on one lane take turns", [] {
  Rig rig;
  auto spec = rig.spec();
  spec.limits.maxBatch = 1;
  const auto first = rig.load(spec);
  spec.file.path = test::fixture("scalar.onnx");
  const auto second = rig.load(spec);
  rig.stage->holdRuns(true);
  rig.submit(first, 1, 20);
  rig.stage->waitForRuns(1);
  rig.submit(second, {{.id = 21, .content = {.rows = 7, .value = 21}}});
  rig.stage->letOneRunGo();
  rig.stage->waitForRuns(2);
  check::equal(rig.stage->runs().back().rows, 7, "rows of the second model's run, next in turn");
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(21);
  check::equal(rig.wrongAnswers(1, 21), "", "all answers right");
});

const check::Add kBothLanes("requests of one model run on both lanes at once", [] {
  Rig rig(2);
  auto spec = rig.spec();
  spec.limits.maxBatch = 1;
  const auto model = rig.load(spec);
  rig.stage->holdRuns(true);
  rig.submit(model, 1, 2);
  rig.stage->waitForRuns(2);  // neither ends before both have begun
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(2);
  check::equal(rig.wrongAnswers(1, 2), "", "both answers right");
});

const check::Add kChannels("a batch of two channels answers each with its own", [] {
  Rig rig;
  const auto model = rig.load();
  const auto other = std::make_shared<Inbox>();
  rig.stage->holdRuns(true);
  rig.submit(model, 1, 1);
  rig.stage->waitForRuns(1);
  infer::Requests requests;
  for (std::uint64_t id = 2; id <= 9; ++id) {
    const auto& channel = id % 2 == 0 ? rig.inbox : other;
    requests.push_back(test::makeRequest(channel, id, {.value = static_cast<float>(id)}));
  }
  rig.scheduler->submit(*model, std::move(requests));
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(5);
  other->waitFor(4);
  check::equal(rig.stage->runs().back().rows, 8, "rows of the shared run");
  check::equal(rig.inbox->deliveries(), std::size_t{2}, "deliveries to the first channel");
  check::equal(other->deliveries(), std::size_t{1}, "deliveries to the other channel");
  for (std::uint64_t id = 2; id <= 9; ++id) {
    check::equal(rig.inbox->timesAnswered(id), std::size_t{id % 2 == 0 ? 1U : 0U}, "in the first");
    check::equal(other->timesAnswered(id), std::size_t{id % 2 == 0 ? 0U : 1U}, "in the other");
  }
});

const check::Add kSameIds("two channels may use the same ids", [] {
  Rig rig;
  const auto model = rig.load();
  const auto other = std::make_shared<Inbox>();
  rig.stage->holdRuns(true);
  rig.submit(model, 1, 1);
  rig.stage->waitForRuns(1);
  infer::Requests requests;
  requests.push_back(test::makeRequest(rig.inbox, 2, {.value = 2}));
  requests.push_back(test::makeRequest(other, 2, {.value = 5}));
  rig.scheduler->submit(*model, std::move(requests));
  rig.scheduler->cancel(*model, other, {2}, {ErrorCode::kCancelled, "gone", {}});
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(2);
  check::equal(rig.wrongAnswers(2, 2), "", "the first channel's request answered");
  check::failed(other->answer(2), ErrorCode::kCancelled, "gone");
});

const check::Add kAbandon("a channel that ends mid-run takes only its own requests along", [] {
  Rig rig;
  const auto model = rig.load();
  const auto ending = std::make_shared<Inbox>();
  rig.stage->holdRuns(true);
  rig.submit(model, 1, 1);
  rig.stage->waitForRuns(1);
  infer::Requests shared;
  shared.push_back(test::makeRequest(ending, 2, {.value = 2}));
  shared.push_back(test::makeRequest(rig.inbox, 3, {.value = 3}));
  rig.scheduler->submit(*model, std::move(shared));
  rig.stage->letOneRunGo();
  rig.stage->waitForRuns(2);
  infer::Requests waiting;
  waiting.push_back(test::makeRequest(ending, 4, {.value = 4}));
  waiting.push_back(test::makeRequest(rig.inbox, 5, {.value = 5}));
  rig.scheduler->submit(*model, std::move(waiting));
  infer::Scheduler::abandon(*model, ending.get());
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(3);
  check::equal(rig.wrongAnswers(3, 3) + rig.wrongAnswers(5, 5), "", "the others answered");
  check::equal(ending->count(), std::size_t{0}, "answers to the ended channel");
  const auto cancelled = static_cast<std::size_t>(ErrorCode::kCancelled);
  check::equal(model->metrics.errorCount(cancelled), std::uint64_t{2}, "cancelled requests");
  check::equal(rig.stage->stops(), std::size_t{0}, "stopped runs");
});

const check::Add kAbandonAlone("the run of an ended channel alone is stopped", [] {
  Rig rig;
  const auto model = rig.load();
  rig.stage->holdRuns(true);
  rig.submit(model, 1, 1);
  rig.stage->waitForRuns(1);
  infer::Scheduler::abandon(*model, rig.inbox.get());
  rig.stage->waitForStops(1);
  check::equal(rig.inbox->count(), std::size_t{0}, "answers");
});

}  // namespace
