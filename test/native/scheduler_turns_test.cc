// SPDX-License-Identifier: Apache-2.0
// Several models on one lane whose runs take as many milliseconds of the test clock as they have
// rows.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "native/base/clock.h"
#include "native/base/request.h"
#include "native/scheduler/policy.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/scheduler.h"
#include "test/native/check.h"
#include "test/native/fixtures.h"
#include "test/native/inbox.h"
#include "test/native/rig.h"
#include "test/native/test_engine.h"

namespace {

using test::Rig;

constexpr infer::TimeNs kMillisecond = 1'000'000;

void takeTimeByRows(Rig& rig) {
  rig.stage->compute = [&rig](const infer::Batch& batch) {
    rig.clock.spend(batch.rows * kMillisecond);
    return test::doubleOrFail(batch);
  };
}

infer::ModelHandle loadAlone(Rig& rig, const char* file) {
  auto spec = rig.spec(test::fixture(file));
  spec.limits.maxBatch = 1;  // one request a run
  return rig.load(spec);
}

struct Asked {
  std::uint64_t firstId = 1;
  std::uint64_t count = 1;
  std::int64_t rows = 1;
  infer::TimeNs deadline = infer::kNever;
};

void ask(Rig& rig, const infer::ModelHandle& model, const Asked& asked) {
  infer::Requests requests;
  for (std::uint64_t id = asked.firstId; id < asked.firstId + asked.count; ++id) {
    requests.push_back(
        test::makeRequest(rig.inbox, id, {.rows = asked.rows, .value = static_cast<float>(id)}));
    requests.back()->deadline = asked.deadline;
  }
  rig.scheduler->submit(*model, std::move(requests));
}

const check::Add kSlow("a model with runs of 50 ms gets one for 50 of its neighbour's of 1 ms", [] {
  Rig rig;
  takeTimeByRows(rig);
  const auto slow = loadAlone(rig, "affine.onnx");
  const auto fast = loadAlone(rig, "scalar.onnx");
  rig.stage->holdRuns(true);
  ask(rig, slow, {.firstId = 1, .count = 4, .rows = 50});
  rig.stage->waitForRuns(1);
  ask(rig, fast, {.firstId = 5, .count = 110});
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(114);
  check::equal(rig.wrongAnswers(1, 114), "", "all answers right");
  std::vector<std::size_t> slowAt;
  const auto runs = rig.stage->runs();
  for (std::size_t at = 0; at < runs.size(); ++at) {
    if (runs[at].rows == 50) {
      slowAt.push_back(at);
    }
  }
  check::equal(slowAt.size(), std::size_t{4}, "slow runs");
  check::that(slowAt[1] - slowAt[0] >= 50 && slowAt[1] - slowAt[0] <= 52, "50 between 1 and 2");
  check::that(slowAt[2] - slowAt[1] >= 50 && slowAt[2] - slowAt[1] <= 52, "50 between 2 and 3");
});

const check::Add kLostCore("a model does not pay for the time that others had its core", [] {
  Rig rig;
  rig.stage->compute = [&rig](const infer::Batch& batch) {
    rig.clock.spend(kMillisecond);
    if (batch.rows == 2) {
      rig.clock.set(rig.clock.now() + 1000 * kMillisecond);
    }
    return test::doubleOrFail(batch);
  };
  const auto unlucky = loadAlone(rig, "affine.onnx");
  const auto other = loadAlone(rig, "scalar.onnx");
  rig.stage->holdRuns(true);
  ask(rig, unlucky, {.firstId = 1, .rows = 2});
  rig.stage->waitForRuns(1);
  ask(rig, unlucky, {.firstId = 2, .rows = 3});
  ask(rig, other, {.firstId = 3, .count = 20});
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(22);
  check::equal(rig.wrongAnswers(1, 22), "", "all answers right");
  const auto runs = rig.stage->runs();
  const auto next = std::ranges::find(runs, std::int64_t{3}, &test::RunSeen::rows);
  check::that(next - runs.begin() <= 3, "to be served again after two runs of the other, was run " +
                                            std::to_string(next - runs.begin()));
});

const check::Add kOwnThreads("a run with threads of its own pays for all of its time", [] {
  Rig rig;
  rig.stage->compute = [&rig](const infer::Batch& batch) {
    // The lane's thread waits for the others.
    rig.clock.set(rig.clock.now() + batch.rows * kMillisecond);
    rig.clock.spend(batch.rows == 1 ? kMillisecond : 0);
    return test::doubleOrFail(batch);
  };
  auto spec = rig.spec();
  spec.limits.maxBatch = 1;
  spec.file.threadsPerRun = 2;
  const auto wide = rig.load(spec);
  const auto other = loadAlone(rig, "scalar.onnx");
  rig.stage->holdRuns(true);
  ask(rig, wide, {.firstId = 1, .rows = 30});
  rig.stage->waitForRuns(1);
  ask(rig, wide, {.firstId = 2, .rows = 30});
  ask(rig, other, {.firstId = 3, .count = 50});
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(52);
  const auto runs = rig.stage->runs();
  const auto next = std::find_if(runs.begin() + 1, runs.end(),
                                 [](const test::RunSeen& run) { return run.rows == 30; });
  check::that(next - runs.begin() > 20, "not before the other has had as much, was run " +
                                            std::to_string(next - runs.begin()));
});

const check::Add kDeadline(
    "of the models that wait the one with the earliest deadline is next", [] {
      Rig rig;
      takeTimeByRows(rig);
      const auto busy = loadAlone(rig, "affine.onnx");
      const auto patient = loadAlone(rig, "scalar.onnx");
      const auto later = loadAlone(rig, "spin.onnx");
      const auto sooner = loadAlone(rig, "gather.onnx");
      rig.stage->holdRuns(true);
      ask(rig, busy, {.firstId = 1});
      rig.stage->waitForRuns(1);
      ask(rig, patient, {.firstId = 2, .rows = 2});
      ask(rig, later, {.firstId = 3, .rows = 3, .deadline = 900 * kMillisecond});
      ask(rig, sooner, {.firstId = 4, .rows = 4, .deadline = 800 * kMillisecond});
      rig.stage->holdRuns(false);
      rig.inbox->waitFor(4);
      check::equal(rig.wrongAnswers(1, 4), "", "all answers right");
      std::vector<std::int64_t> rows;
      for (const auto& run : rig.stage->runs()) {
        rows.push_back(run.rows);
      }
      check::that(rows == std::vector<std::int64_t>({1, 4, 3, 2}), "the order of the deadlines");
    });

const check::Add kPatient("a model that waits for more rows holds no other one up", [] {
  Rig rig;
  auto spec = rig.spec();
  spec.limits.maxDelay = 3'600'000 * kMillisecond;
  spec.limits.mode = infer::BatchMode::kFixed;
  const auto waiting = rig.load(spec);
  const auto other = loadAlone(rig, "scalar.onnx");
  rig.stage->holdRuns(true);
  ask(rig, other, {.firstId = 1});
  rig.stage->waitForRuns(1);
  ask(rig, waiting, {.firstId = 2, .rows = 2});
  ask(rig, other, {.firstId = 3, .count = 20});
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(21);
  check::equal(rig.wrongAnswers(3, 22), "", "the other one served");
  check::equal(rig.inbox->timesAnswered(2), std::size_t{0}, "answers to the one that waits");
});

}  // namespace
