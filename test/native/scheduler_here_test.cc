// SPDX-License-Identifier: Apache-2.0
// When a run may happen on the submitter's own thread, and when it must not.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/scheduler.h"
#include "test/native/check.h"
#include "test/native/inbox.h"
#include "test/native/rig.h"
#include "test/native/test_engine.h"

namespace {

using infer::Scheduler;
using infer::TimeNs;
using test::Rig;

constexpr std::uint64_t kKnown = 32;  // runs after which the scheduler knows a model

infer::Signature steadySignature() {
  infer::Signature signature = test::doublerSignature();
  signature.inputs.front().shape = {infer::kFreeAxis, 2};
  signature.outputs.front().shape = {infer::kFreeAxis, 2};
  signature.steadyCost = true;
  return signature;
}

// Every run takes `runTime` by the rig's clock.
void last(Rig& rig, TimeNs runTime) {
  rig.stage->compute = [&rig, runTime](const infer::Batch& inputs) {
    rig.clock.set(rig.clock.now() + runTime);
    return test::doubleOrFail(inputs);
  };
}

// Requests of one row, one after the other, on the lane. A `value` below 0 fails.
void learn(Rig& rig, const infer::ModelHandle& model, float value, std::uint64_t count) {
  for (; count > 0; --count) {
    const std::uint64_t next = rig.inbox->count() + 1;
    rig.submit(model, {{.id = next, .content = {.value = value}}});
    rig.inbox->waitFor(next);
  }
}

void submitHere(Rig& rig, const infer::ModelHandle& model, std::int64_t rows,
                Scheduler::Where where = Scheduler::Where::kHere, std::uint64_t count = 1) {
  infer::Requests requests;
  for (std::uint64_t i = 0; i < count; ++i) {
    requests.push_back(test::makeRequest(rig.inbox, 1000 + i, {.rows = rows, .value = 3}));
  }
  rig.scheduler->submit(*model, std::move(requests), where);
}

struct Case {
  const char* name;
  bool here = false;
  TimeNs runTime = 2000;
  std::int64_t maxBatch = 32;
  std::int64_t rows = 1;
  std::uint64_t requests = 1;
  bool steady = true;
  std::uint64_t failures = 0;  // runs that fail at once, after those that were learned from
  Scheduler::Where where = Scheduler::Where::kHere;
};

const std::vector<Case> kCases = {
    {.name = "a micro model runs on the caller's thread", .here = true},
    {.name = "not one whose cost may depend on data", .steady = false},
    {.name = "a request alone may take longer", .here = true, .runTime = 49'000},
    {.name = "but not longer than a hand-over to a lane that sleeps", .runTime = 50'000},
    {.name = "several are there together, if they are quick", .here = true, .requests = 2},
    {.name = "not several that keep the caller waiting", .runTime = 25'000, .requests = 2},
    {.name = "not without the caller's word", .where = Scheduler::Where::kLane},
    {.name = "more rows than were ever measured, if they are micro in any case",
     .here = true,
     .rows = 24},
    {.name = "not more rows than were ever measured", .rows = 25},
    {.name = "not where requests do not share runs and rows are not counted", .maxBatch = 1},
    {.name = "failed runs do not say that a model is quick", .runTime = 50'000, .failures = 500},
};

const check::AddEach kWhere(kCases, [](const Case& row) {
  Rig rig;
  rig.stage->signature = steadySignature();
  rig.stage->signature.steadyCost = row.steady;
  auto spec = rig.spec();
  spec.limits.maxBatch = row.maxBatch;
  const auto model = rig.load(spec);
  last(rig, row.runTime);
  learn(rig, model, 1, kKnown);
  last(rig, 8);
  learn(rig, model, -1, row.failures);
  const std::uint64_t before = rig.inbox->count();
  submitHere(rig, model, row.rows, row.where, row.requests);
  rig.inbox->waitFor(before + row.requests);
  const bool here = rig.stage->runs().back().thread == std::this_thread::get_id();
  check::equal(here, row.here, "on the caller's thread");
  check::that(rig.inbox->answer(1000).ok(), "an answer");
  check::equal(model->queue.depth(), std::size_t{0}, "requests that wait");
  check::equal(model->metrics.completedCount(), kKnown + row.requests, "counted like any other");
});

const check::Add kPause("after a slow run on the caller's thread, lanes run for ten times as long",
                        [] {
                          Rig rig;
                          rig.stage->signature = steadySignature();
                          const auto model = rig.load();
                          const auto ranHere = [&rig, &model] {
                            const std::uint64_t before = rig.inbox->count();
                            submitHere(rig, model, 1);
                            rig.inbox->waitFor(before + 1);
                            return rig.stage->runs().back().thread == std::this_thread::get_id();
                          };
                          last(rig, 2000);
                          learn(rig, model, 1, kKnown);
                          last(rig, 300'000);
                          check::that(ranHere(), "the slow run, which nothing announced");
                          const TimeNs ended = rig.clock.now();
                          last(rig, 1);
                          learn(rig, model, 1, kKnown);  // micro again, by the mean
                          rig.clock.set(ended + 10 * TimeNs{300'000} - 1);
                          check::that(!ranHere(), "a lane until ten times as long is over");
                          rig.clock.set(ended + 10 * TimeNs{300'000} + 1);
                          check::that(ranHere(), "the caller's thread again");
                        });

// Takes `time` of the rig's clock to be written.
class SlowText final : public infer::EncodedAnswer {
 public:
  SlowText(Rig& rig, TimeNs time) : rig_(rig), time_(time) {}
  infer::Result<infer::EncodedText> write(const infer::Outputs& /*outputs*/) const override {
    rig_.clock.set(rig_.clock.now() + time_);
    return infer::EncodedText{.text = "written"};
  }

 private:
  Rig& rig_;
  const TimeNs time_;
};

const check::Add kWriting("after a long answer was written there, lanes run for a second", [] {
  Rig rig;
  rig.stage->signature = steadySignature();
  const auto model = rig.load();
  last(rig, 2000);
  learn(rig, model, 1, kKnown);
  const auto ranHere = [&rig, &model](TimeNs writing) {
    const std::uint64_t before = rig.inbox->count();
    infer::Requests requests;
    requests.push_back(test::makeRequest(rig.inbox, 1000, {.value = 3}));
    requests.back()->encoded = std::make_unique<SlowText>(rig, writing);
    rig.scheduler->submit(*model, std::move(requests), Scheduler::Where::kHere);
    rig.inbox->waitFor(before + 1);
    return rig.stage->runs().back().thread == std::this_thread::get_id();
  };
  check::that(ranHere(300'000), "nothing tells how long an answer takes to write");
  const TimeNs written = rig.clock.now();
  rig.clock.set(written + 900 * infer::kMillisecond);
  check::that(!ranHere(300'000), "a lane");
  rig.clock.set(written + 1001 * infer::kMillisecond);
  check::that(ranHere(1), "the caller's thread again");
});

const check::Add kBusy("while another request runs, a lane takes the next", [] {
  Rig rig;
  rig.stage->signature = steadySignature();
  const auto model = rig.load();
  last(rig, 2000);
  learn(rig, model, 1, kKnown);
  rig.stage->holdRuns(true);
  rig.submit(model, {{.id = 500, .content = {.value = 1}}});
  rig.stage->waitForRuns(kKnown + 1);
  submitHere(rig, model, 1);
  check::equal(rig.inbox->timesAnswered(1000), std::size_t{0}, "left to the lane");
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(kKnown + 2);
  check::equal(rig.inbox->timesAnswered(1000), std::size_t{1}, "answered by it");
});

}  // namespace
