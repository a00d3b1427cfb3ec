// SPDX-License-Identifier: Apache-2.0
// Placing a loaded model on other lanes while it is used.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "native/base/affinity.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/scheduler/lane_pool.h"
#include "native/scheduler/policy.h"
#include "native/scheduler/scheduler.h"
#include "test/native/check.h"
#include "test/native/fixtures.h"
#include "test/native/rig.h"
#include "test/native/tensors.h"
#include "test/native/test_engine.h"
#include "test/native/threads.h"

namespace {

using infer::ErrorCode;
using infer::Placement;
using test::Rig;

infer::Result<void> scale(Rig& rig, const infer::ModelHandle& model, const Placement& placement) {
  const auto scaled = std::make_shared<std::promise<infer::Result<void>>>();
  auto result = scaled->get_future();
  rig.scheduler->scale(model.model(), placement,
                       [scaled](infer::Result<void> done) { scaled->set_value(std::move(done)); });
  return result.get();
}

std::size_t lanesOf(const infer::ModelHandle& model) {
  return model->lanes.all().size();
}

infer::ModelHandle loadOn(Rig& rig, std::size_t lanes) {
  auto spec = rig.spec();
  spec.limits.maxBatch = 1;
  spec.placement.lanes = lanes;
  return rig.load(spec);
}

const check::Add kUp("an added lane takes what waits at once", [] {
  Rig rig;
  const auto model = loadOn(rig, 1);
  rig.stage->holdRuns(true);
  rig.submit(model, 1, 3);
  rig.stage->waitForRuns(1);
  check::that(scale(rig, model, {.lanes = 3, .cores = {}}).ok(), "to be scaled");
  rig.stage->waitForRuns(3);  // all at once, while the first is held
  check::equal(lanesOf(model), std::size_t{3}, "lanes");
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(3);
  check::equal(rig.wrongAnswers(1, 3), "", "all answers right");
});

const check::Add kDown("a removed lane ends its run and takes no other", [] {
  Rig rig(2);
  std::mutex mutex;
  std::set<std::thread::id> later;  // guarded by mutex: threads of the runs after the first two
  rig.stage->compute = [&](const infer::Batch& batch) {
    if (test::valuesOf<float>(batch.inputs.front()).front() > 2) {
      const std::lock_guard lock(mutex);
      later.insert(std::this_thread::get_id());
    }
    return test::doubleOrFail(batch);
  };
  const auto model = loadOn(rig, 2);
  rig.stage->holdRuns(true);
  rig.submit(model, 1, 2);
  rig.stage->waitForRuns(2);
  rig.submit(model, 3, 500);
  check::that(scale(rig, model, {.lanes = 1, .cores = {}}).ok(), "to be scaled");
  check::equal(lanesOf(model), std::size_t{1}, "lanes");
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(500);
  check::equal(rig.wrongAnswers(1, 500), "", "all answers right");
  const std::lock_guard lock(mutex);
  check::equal(later.size(), std::size_t{1}, "lanes that went on");
});

// The lane that a submitter woke, or that sleeps until a batch is due, may be the one that leaves.
const check::Add kTimer("what waited on the timer of a removed lane is served by another", [] {
  Rig rig(2, Rig::Time::kReal);
  auto spec = rig.spec();
  spec.limits.maxDelay = 20'000'000;
  spec.limits.mode = infer::BatchMode::kFixed;
  spec.placement.lanes = 1;
  const auto model = rig.load(spec);
  for (std::uint64_t id = 1; id <= 10; ++id) {
    rig.submit(model, id, id);
    check::that(scale(rig, model, {.lanes = 2, .cores = {}}).ok(), "to grow");
    check::that(scale(rig, model, {.lanes = 1, .cores = {}}).ok(), "to shrink");
    rig.inbox->waitFor(id);
  }
  check::equal(rig.wrongAnswers(1, 10), "", "all answers right");
});

const check::Add kMove("a model moves to other cores without losing what waits", [] {
  const auto allowed = infer::allowedCores();
  if (!allowed.ok() || allowed.value().size() < 2) {
    check::skip("needs two cores");
    return;
  }
  Rig rig(1, Rig::Time::kReal);
  const auto model = loadOn(rig, 1);
  for (std::uint64_t round = 0; round < 50; ++round) {
    rig.submit(model, 4 * round + 1, 4 * round + 4);
    const int core = static_cast<int>(round % 2);
    check::that(scale(rig, model, {.lanes = 0, .cores = {core}}).ok(), "to be moved");
    check::equal(lanesOf(model), std::size_t{1}, "lanes");
    check::equal(model->lanes.all().front()->core().value_or(-1), core, "core");
  }
  rig.inbox->waitFor(200);
  check::equal(rig.wrongAnswers(1, 200), "", "all answers right");
});

const check::Add kLoad("a model scaled a hundred times under load answers every request", [] {
  Rig rig(1, Rig::Time::kReal);
  auto spec = rig.spec();
  spec.limits.maxBatch = 4;
  spec.limits.maxQueue = 1'000'000;
  const auto model = rig.load(spec);
  const auto neighbour = rig.load(rig.spec(test::fixture("scalar.onnx")));
  std::atomic<bool> done = false;
  std::atomic<std::uint64_t> asked = 0;
  std::vector<std::jthread> callers;
  callers.reserve(2);
  for (int i = 0; i < 2; ++i) {
    callers.emplace_back([&] {
      while (!done) {
        const std::uint64_t id = asked.fetch_add(2) + 1;
        rig.submit(model, id, id);
        rig.submit(neighbour, id + 1, id + 1);
        rig.inbox->waitFor(id > 200 ? id - 200 : 0);  // some are always under way
      }
    });
  }
  for (std::size_t i = 0; i < 100; ++i) {
    const std::size_t lanes = 1 + (i * 3) % 4;
    rig.inbox->waitFor(10 * i);
    check::that(scale(rig, model, {.lanes = lanes, .cores = {}}).ok(), "to be scaled");
    check::equal(lanesOf(model), lanes, "lanes");
  }
  done = true;
  callers.clear();
  rig.inbox->waitFor(asked);
  check::equal(rig.wrongAnswers(1, asked), "", "all answers right");
});

const check::Add kKept("the lanes that a model keeps are those it had", [] {
  Rig rig(4);
  const auto model = loadOn(rig, 2);
  const auto before = model->lanes.all();
  check::that(scale(rig, model, {.lanes = 4, .cores = {}}).ok(), "to grow");
  check::that(scale(rig, model, {.lanes = 4, .cores = {}}).ok(), "the same again");
  const auto after = model->lanes.all();
  check::that(after.size() == 4 && after[0] == before[0] && after[1] == before[1], "both to stay");
});

const check::Add kRefused("a placement that cannot be is refused and changes nothing", [] {
  Rig rig(2);
  const auto model = loadOn(rig, 2);
  check::failed(scale(rig, model, {.lanes = 5, .cores = {}}), ErrorCode::kBadInput,
                "expected at most the 4 cores");
  check::failed(scale(rig, model, {.lanes = 0, .cores = {0, 99}}), ErrorCode::kBadInput, "core 99");
  check::equal(lanesOf(model), std::size_t{2}, "lanes");
});

const check::Add kNoThread("a lane that cannot be started leaves the model where it is", [] {
  test::Threads threads(100);
  Rig rig(1, Rig::Time::kTest, {.start = threads.starter()});
  const auto model = loadOn(rig, 1);
  check::that(scale(rig, model, {.lanes = 1, .cores = {}}).ok(), "a thread that scales");
  threads.allow(0);
  check::failed(scale(rig, model, {.lanes = 2, .cores = {}}), ErrorCode::kInternal,
                "cannot be scaled");
  check::equal(lanesOf(model), std::size_t{1}, "lanes");
  rig.submit(model, 1, 1);
  rig.inbox->waitFor(1);
  threads.allow(1);
  check::that(scale(rig, model, {.lanes = 2, .cores = {}}).ok(), "to be scaled after all");
});

const check::Add kClosed("a model that was closed is not placed again", [] {
  Rig rig(2);
  auto model = loadOn(rig, 1);
  const auto kept = model.model();
  Rig::release(model);
  std::promise<infer::Result<void>> scaled;
  rig.scheduler->scale(kept, {.lanes = 2, .cores = {}},
                       [&scaled](infer::Result<void> done) { scaled.set_value(std::move(done)); });
  check::failed(scaled.get_future().get(), ErrorCode::kClosed, "closed");
});

}  // namespace
