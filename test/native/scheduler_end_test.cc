// SPDX-License-Identifier: Apache-2.0
// Closing models and destroying the scheduler while something is under way.
#include <cstddef>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "native/base/error.h"
#include "native/scheduler/scheduler.h"
#include "test/native/check.h"
#include "test/native/fixtures.h"
#include "test/native/rig.h"

namespace {

using infer::ErrorCode;
using test::Rig;

const check::Add kCloseBusy("closing a busy model answers what runs and refuses what waits", [] {
  Rig rig;
  auto model = rig.load();
  rig.stage->holdRuns(true);
  rig.submit(model, 1, 1);
  rig.stage->waitForRuns(1);
  rig.submit(model, 2, 3);
  Rig::release(model);
  rig.inbox->waitFor(2);
  check::failed(rig.inbox->answer(2), ErrorCode::kClosed, "closed");
  check::failed(rig.inbox->answer(3), ErrorCode::kClosed, "closed");
  check::equal(rig.stage->live(), std::size_t{1}, "models while the run goes on");
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(3);
  check::equal(rig.wrongAnswers(1, 1), "", "the running request answered");
  rig.stage->waitForLive(0);
});

const check::Add kCloseOther("closing one model leaves the other one on the lane alone", [] {
  Rig rig;
  auto closing = rig.load();
  const auto staying = rig.load(rig.spec(test::fixture("scalar.onnx")));
  rig.stage->holdRuns(true);
  rig.submit(closing, 1, 1);
  rig.stage->waitForRuns(1);
  rig.submit(staying, 2, 5);
  Rig::release(closing);
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(5);
  check::equal(rig.wrongAnswers(1, 5), "", "all answers right");
  rig.stage->waitForLive(1);
});

const check::Add kReload("a file can be loaded again while its last model goes away", [] {
  Rig rig;
  auto first = rig.load();
  rig.stage->holdRuns(true);
  rig.submit(first, 1, 1);
  rig.stage->waitForRuns(1);
  Rig::release(first);
  const auto second = rig.load();
  rig.stage->holdRuns(false);
  rig.submit(second, 2, 2);
  rig.inbox->waitFor(2);
  check::equal(rig.wrongAnswers(1, 2), "", "both answers right");
  rig.stage->waitForLive(1);
});

const check::Add kDestroyIdle("destroying an idle scheduler frees its models", [] {
  Rig rig(2);
  {
    const auto model = rig.load();
    rig.submit(model, 1, 4);
    rig.inbox->waitFor(4);
  }
  rig.scheduler.reset();
  check::equal(rig.stage->live(), std::size_t{0}, "models");
});

const check::Add kDestroyBusy("destroying a busy scheduler stops the runs and drops the rest", [] {
  Rig rig(4);
  auto spec = rig.spec();
  spec.limits.maxBatch = 1;
  auto model = rig.load(spec);
  rig.stage->holdRuns(true);
  rig.submit(model, 1, 100);
  rig.stage->waitForRuns(4);
  model.release([] {});
  rig.scheduler.reset();
  check::equal(rig.stage->live(), std::size_t{0}, "models");
  check::equal(rig.stage->stops(), std::size_t{4}, "stopped runs");
  for (std::uint64_t id = 1; id <= 100; ++id) {
    check::that(rig.inbox->timesAnswered(id) <= 1, "no second answer");
  }
});

// Keeps the threads that close models busy with loads, so that a release waits behind them.
void holdLoader(Rig& rig, std::size_t threads) {
  rig.stage->holdLoads(true);
  for (std::size_t i = 0; i < threads; ++i) {
    rig.scheduler->load(rig.spec(test::fixture("missing-" + std::to_string(i))),
                        [](const infer::Result<infer::ModelHandle>&) {});
  }
  rig.stage->waitForLoads(threads + 1);
}

const check::Add kDestroyFull("lanes that wake each other find each other until all ended", [] {
  Rig rig(4);
  auto spec = rig.spec();
  spec.limits.maxBatch = 1;
  auto model = rig.load(spec);
  holdLoader(rig, 4);
  rig.stage->holdRuns(true);
  rig.submit(model, 1, 500);
  rig.stage->waitForRuns(4);
  std::promise<void> dropped;
  // The queue stays open and full: its close is dropped with this.
  model.release([last = std::shared_ptr<void>(nullptr, [&](void*) { dropped.set_value(); })] {});
  std::thread destroyer([&rig] { rig.scheduler.reset(); });
  dropped.get_future().get();
  rig.stage->holdLoads(false);
  rig.stage->waitForStops(1);  // the first lane ends; the others go on with what is queued
  rig.stage->holdRuns(false);
  destroyer.join();
  check::equal(rig.stage->live(), std::size_t{0}, "models");
});

// The shares of these loads are given back by jobs that come while the loader waits for its
// threads.
const check::Add kDestroyLoading("a load that ends while the scheduler goes away is freed", [] {
  Rig rig(4);
  auto model = rig.load();
  holdLoader(rig, 4);
  std::promise<void> dropped;
  model.release([last = std::shared_ptr<void>(nullptr, [&](void*) { dropped.set_value(); })] {});
  std::thread destroyer([&rig] { rig.scheduler.reset(); });
  dropped.get_future().get();
  rig.stage->holdLoads(false);
  destroyer.join();
  check::equal(rig.stage->loads(), std::size_t{5}, "loads");
  check::equal(rig.stage->live(), std::size_t{0}, "models");
});

}  // namespace
