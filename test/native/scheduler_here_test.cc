// SPDX-License-Identifier: Apache-2.0
// When a run may happen on the submitter's own thread, and when it must not.
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "native/base/clock.h"
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

// Requests 1 to kKnown, one after the other, on the lane; each run takes `runTime`.
void learn(Rig& rig, const infer::ModelHandle& model, TimeNs runTime) {
  rig.stage->compute = [&rig, runTime](const infer::Batch& inputs) {
    rig.clock.set(rig.clock.now() + runTime);
    return test::doubleOrFail(inputs);
  };
  for (std::uint64_t id = 1; id <= kKnown; ++id) {
    rig.submit(model, {{.id = id, .content = {.value = 1}}});
    rig.inbox->waitFor(id);
  }
}

void submitHere(Rig& rig, const infer::ModelHandle& model, std::uint64_t id) {
  infer::Requests requests;
  requests.push_back(test::makeRequest(rig.inbox, id, {.value = 3}));
  rig.scheduler->submit(*model, std::move(requests), Scheduler::Where::kHere);
}

const check::Add kMicro("a micro model is answered before submit returns", [] {
  Rig rig;
  rig.stage->signature = steadySignature();
  const auto model = rig.load();
  learn(rig, model, 2000);
  rig.stage->holdRuns(false);
  submitHere(rig, model, 100);
  check::equal(rig.inbox->timesAnswered(100), std::size_t{1}, "one answer, at once");
  check::equal(model->queue.depth(), std::size_t{0}, "nothing left in the queue");
  check::equal(model->metrics.completedCount(), kKnown + 1, "counted like any other");
});

struct Refused {
  const char* name;
  bool steady;
  TimeNs runTime;
  Scheduler::Where where;
};

const check::Add kLane("everything else is left to a lane", [] {
  const Refused cases[] = {
      {"cost may depend on data", false, 2000, Scheduler::Where::kHere},
      {"a run longer than a hand-over", true, 50'000, Scheduler::Where::kHere},
      {"the caller did not offer its thread", true, 2000, Scheduler::Where::kLane},
  };
  for (const Refused& test : cases) {
    Rig rig;
    rig.stage->signature = steadySignature();
    rig.stage->signature.steadyCost = test.steady;
    const auto model = rig.load();
    learn(rig, model, test.runTime);
    rig.stage->holdRuns(true);  // a run here would never come back
    infer::Requests requests;
    requests.push_back(test::makeRequest(rig.inbox, 100, {.value = 3}));
    rig.scheduler->submit(*model, std::move(requests), test.where);
    check::equal(rig.inbox->timesAnswered(100), std::size_t{0}, test.name);
    rig.stage->holdRuns(false);
    rig.inbox->waitFor(kKnown + 1);
  }
});

const check::Add kBusy("while another request runs, a lane takes the next", [] {
  Rig rig;
  rig.stage->signature = steadySignature();
  const auto model = rig.load();
  learn(rig, model, 2000);
  rig.stage->holdRuns(true);
  rig.submit(model, {{.id = 50, .content = {.value = 1}}});
  rig.stage->waitForRuns(kKnown + 1);
  submitHere(rig, model, 100);
  check::equal(rig.inbox->timesAnswered(100), std::size_t{0}, "left to the lane");
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(kKnown + 2);
  check::equal(rig.inbox->timesAnswered(100), std::size_t{1}, "answered by it");
});

}  // namespace
