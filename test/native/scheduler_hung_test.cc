// SPDX-License-Identifier: Apache-2.0
// Runs that go on although they were told to stop.
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/scheduler/scheduler.h"
#include "native/scheduler/start_thread.h"
#include "test/native/check.h"
#include "test/native/fixtures.h"
#include "test/native/log_lines.h"
#include "test/native/rig.h"
#include "test/native/test_engine.h"
#include "test/native/threads.h"

namespace {

using infer::ErrorCode;
using test::Rig;

constexpr infer::TimeNs kHour = infer::TimeNs{3600} * 1'000'000'000;
const infer::ThreadRules kAtOnce{.start = infer::startThread, .hungAfter = 0};
const infer::ThreadRules kLater{.start = infer::startThread, .hungAfter = kHour};

// The watchdog counts after it has put the new thread in place, which may serve before that.
void waitForHung(const infer::ModelHandle& model, std::uint64_t count) {
  while (model->metrics.hungCount() < count) {
    std::this_thread::yield();
  }
}

// A model whose request `id` hangs, and was answered because its deadline has passed.
void hang(Rig& rig, const infer::ModelHandle& model, std::uint64_t id) {
  const std::size_t begun = rig.stage->runs().size();
  rig.stage->hangRuns(1);
  rig.submit(model, id, id);
  rig.stage->waitForRuns(begun + 1);
  rig.scheduler->cancel(*model, rig.inbox, {id}, {ErrorCode::kDeadline, "late", {}});
}

const check::Add kServes("a model whose only lane hangs in a run keeps serving", [] {
  Rig rig(1, Rig::Time::kTest, kAtOnce);
  const auto lines = test::LogLines::listen();
  const auto model = rig.load();
  const auto neighbour = rig.load(rig.spec(test::fixture("scalar.onnx")));
  hang(rig, model, 1);
  rig.submit(model, 2, 9);
  rig.submit(neighbour, 10, 19);
  rig.inbox->waitFor(19);
  check::failed(rig.inbox->answer(1), ErrorCode::kDeadline, "late");
  check::equal(rig.wrongAnswers(2, 19), "", "the others answered, while the first run hangs");
  waitForHung(model, 1);
  check::equal(neighbour->metrics.hungCount(), std::uint64_t{0}, "hung runs of the other");
  check::that(lines->text().find("affine.onnx: a run went on for 0 ms after it was told to stop") !=
                  std::string::npos,
              "a line that names the model, got " + lines->text());
  rig.stage->hangRuns(0);
});

const check::Add kReturns("a hung run that ends after all changes nothing", [] {
  Rig rig(1, Rig::Time::kTest, kAtOnce);
  auto model = rig.load();
  hang(rig, model, 1);
  rig.submit(model, 2, 2);
  rig.inbox->waitFor(2);
  rig.stage->hangRuns(0);
  rig.submit(model, 3, 20);
  rig.inbox->waitFor(20);
  check::equal(rig.inbox->timesAnswered(1), std::size_t{1}, "answers to the hung request");
  check::equal(rig.wrongAnswers(2, 20), "", "all others right");
  Rig::release(model);
  rig.stage->waitForLive(0);
});

const check::Add kClosed("a model that was closed is freed when its hung run ends", [] {
  Rig rig(1, Rig::Time::kTest, kAtOnce);
  auto model = rig.load();
  hang(rig, model, 1);
  rig.submit(model, 2, 2);
  rig.inbox->waitFor(2);
  Rig::release(model);
  check::equal(rig.stage->live(), std::size_t{1}, "models while the run hangs");
  rig.stage->hangRuns(0);
  rig.stage->waitForLive(0);
});

const check::Add kInTime("a run that ends in time keeps its thread", [] {
  Rig rig(1, Rig::Time::kTest, kLater);
  std::vector<std::thread::id> threads;  // one run after the other
  rig.stage->compute = [&threads](const infer::Batch& batch) {
    threads.push_back(std::this_thread::get_id());
    return test::doubleOrFail(batch);
  };
  const auto model = rig.load();
  rig.submit(model, 1, 1);
  rig.inbox->waitFor(1);
  hang(rig, model, 2);  // it computes nothing
  rig.submit(model, 3, 3);
  rig.stage->hangRuns(0);
  rig.inbox->waitFor(3);
  check::equal(model->metrics.hungCount(), std::uint64_t{0}, "hung runs");
  check::that(threads.size() == 2 && threads[0] == threads[1], "one thread before and after");
});

const check::Add kWhen("a run is given up when its time is over, not before", [] {
  Rig rig(2, Rig::Time::kTest, kLater);
  const auto model = rig.load();
  hang(rig, model, 1);
  // Each of these makes the watchdog look: first an hour is not over, then it is.
  const auto told = rig.load(rig.spec(test::fixture("scalar.onnx")));
  const auto tellAnother = [&](std::uint64_t id) {
    const std::size_t begun = rig.stage->runs().size();
    rig.stage->holdRuns(true);
    rig.submit(told, id, id);
    rig.stage->waitForRuns(begun + 1);
    rig.scheduler->cancel(*told, rig.inbox, {id}, {ErrorCode::kCancelled, "gone", {}});
    rig.stage->waitForStops(id - 1);
    rig.stage->holdRuns(false);
  };
  tellAnother(2);
  check::equal(model->metrics.hungCount(), std::uint64_t{0}, "hung runs before");
  rig.clock.set(kHour);
  tellAnother(3);
  waitForHung(model, 1);
  check::equal(told->metrics.hungCount(), std::uint64_t{0}, "hung runs of the other");
  rig.stage->hangRuns(0);
});

const check::Add kEnd("the scheduler goes away although a run hangs", [] {
  Rig rig(2, Rig::Time::kTest, kAtOnce);
  {
    const auto model = rig.load();
    hang(rig, model, 1);
    rig.submit(model, 2, 2);
    rig.inbox->waitFor(2);
    hang(rig, model, 3);
  }
  rig.scheduler.reset();
  check::equal(rig.stage->live(), std::size_t{1}, "the model stays with its runs");
  rig.stage->hangRuns(0);
  rig.stage->waitForLive(0);
});

const check::Add kEndUntold("so it does where nobody had told the run to stop before", [] {
  Rig rig(1, Rig::Time::kTest, kAtOnce);
  {
    const auto model = rig.load();
    rig.stage->hangRuns(1);
    rig.submit(model, 1, 1);
    rig.stage->waitForRuns(1);
  }
  rig.scheduler.reset();
  check::equal(rig.stage->live(), std::size_t{1}, "the model stays with its run");
  rig.stage->hangRuns(0);
  rig.stage->waitForLive(0);
});

// Each lost thread keeps its memory and its share of the core.
const check::Add kMost("a lane loses four threads and waits for the next", [] {
  Rig rig(1, Rig::Time::kTest, kAtOnce);
  const auto model = rig.load();
  for (std::uint64_t id = 1; id <= 5; ++id) {
    const std::size_t begun = rig.stage->runs().size();
    if (id == 1) {
      rig.stage->hangRuns(5);
    }
    rig.submit(model, id, id);
    rig.stage->waitForRuns(begun + 1);
    rig.scheduler->cancel(*model, rig.inbox, {id}, {ErrorCode::kDeadline, "late", {}});
  }
  rig.submit(model, 6, 6);
  waitForHung(model, 5);  // the fifth run is reported as well
  check::equal(rig.inbox->timesAnswered(6), std::size_t{0}, "answers before one returns");
  rig.stage->hangRuns(0);
  rig.inbox->waitFor(6);
  check::equal(rig.wrongAnswers(6, 6), "", "answered when they have");
});

const check::Add kStuck("a model is not placed on a lane that hangs for good", [] {
  Rig rig(2, Rig::Time::kTest, kAtOnce);
  auto spec = rig.spec();
  spec.placement.lanes = 1;
  const auto wedged = rig.load(spec);
  rig.stage->hangRuns(5);
  for (std::uint64_t id = 1; id <= 5; ++id) {
    const std::size_t begun = rig.stage->runs().size();
    rig.submit(wedged, id, id);
    rig.stage->waitForRuns(begun + 1);
    rig.scheduler->cancel(*wedged, rig.inbox, {id}, {ErrorCode::kDeadline, "late", {}});
  }
  waitForHung(wedged, 5);
  const auto onOther = [&](const char* file, std::uint64_t id) {
    spec.file.path = test::fixture(file);
    auto model = rig.load(spec);
    rig.submit(model, id, id);
    rig.inbox->waitFor(id);
    return model;
  };
  const auto first = onOther("scalar.onnx", 6);
  const auto second = onOther("gather.onnx", 7);  // although the other lane has a model by now
  check::equal(rig.wrongAnswers(6, 7), "", "both served");
  rig.stage->hangRuns(0);
});

const check::Add kNoThread("a lane is replaced as soon as there is a thread for it", [] {
  test::Threads threads(100);
  Rig rig(1, Rig::Time::kTest, {.start = threads.starter(), .hungAfter = 0});
  const auto model = rig.load();
  hang(rig, model, 1);
  rig.submit(model, 2, 2);
  rig.inbox->waitFor(2);  // the watchdog is there, and one thread was left
  rig.stage->hangRuns(0);
  threads.allow(0);
  hang(rig, model, 3);
  rig.submit(model, 4, 4);
  threads.allow(100);
  rig.inbox->waitFor(4);
  check::equal(rig.wrongAnswers(4, 4), "", "answered in the end");
  rig.stage->hangRuns(0);
});

}  // namespace
