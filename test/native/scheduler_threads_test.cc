// SPDX-License-Identifier: Apache-2.0
// Loading and closing where threads cannot be started, are busy, or cannot be pinned.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <latch>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/engine/engine.h"
#include "native/scheduler/lane.h"
#include "native/scheduler/scheduler.h"
#include "test/native/check.h"
#include "test/native/fixtures.h"
#include "test/native/rig.h"
#include "test/native/temp_folder.h"
#include "test/native/threads.h"

namespace {

using infer::ErrorCode;
using test::Rig;
using test::Threads;

constexpr int kPlenty = 100;

struct NoThreadCase {
  const char* name;
  int left;
  const char* message;
};

const std::vector<NoThreadCase> kNoThread = {
    {"a load that no thread can look up fails and can be tried again", 0, "cannot be started"},
    {"a load that no thread can take fails and can be tried again", 1, "cannot be started"},
    {"a lane that cannot be started fails the load, which can be tried again", 2,
     "cannot be loaded"},
};

const check::AddEach kNoThreads(kNoThread, [](const NoThreadCase& row) {
  Threads threads(row.left);
  Rig rig(1, Rig::Time::kTest, {.start = threads.starter()});
  check::failed(rig.tryLoad(rig.spec()), ErrorCode::kInternal, row.message);
  check::equal(rig.stage->live(), std::size_t{0}, "models");
  threads.allow(kPlenty);
  const auto model = rig.load();
  rig.submit(model, 1, 1);
  rig.inbox->waitFor(1);
  check::equal(rig.wrongAnswers(1, 1), "", "answered after all");
});

const check::Add kFree("a model is freed also when no more thread can be started", [] {
  Threads threads(kPlenty);
  Rig rig(1, Rig::Time::kTest, {.start = threads.starter()});
  auto model = rig.load();
  threads.allow(0);
  Rig::release(model);
  rig.stage->waitForLive(0);
  {
    const infer::ModelHandle dropped = rig.load();
  }
  rig.stage->waitForLive(0);
});

const check::Add kCloseFirst("closing a model does not wait for the loads of others", [] {
  Rig rig;
  auto model = rig.load();
  rig.stage->holdLoads(true);
  std::promise<void> loaded;
  rig.scheduler->load(rig.spec(test::fixture("scalar.onnx")),
                      [&loaded](const infer::Result<infer::ModelHandle>&) { loaded.set_value(); });
  rig.stage->waitForLoads(2);
  Rig::release(model);
  rig.stage->waitForLive(0);
  rig.stage->holdLoads(false);
  loaded.get_future().get();
});

const check::Add kCloseBeforeOpening("nor for an engine to be opened", [] {
  Rig rig;
  auto model = rig.load();
  std::promise<void> opening;
  std::promise<void> open;
  auto spec = rig.spec();
  spec.engine = [&opening, &open] {
    opening.set_value();
    open.get_future().wait();
    return infer::Result<std::shared_ptr<infer::Engine>>(
        infer::Error{ErrorCode::kEngineUnavailable, "none", {}});
  };
  std::promise<void> ended;
  rig.scheduler->load(spec,
                      [&ended](const infer::Result<infer::ModelHandle>&) { ended.set_value(); });
  opening.get_future().wait();
  Rig::release(model);
  rig.stage->waitForLive(0);
  open.set_value();
  ended.get_future().wait();
});

const check::Add kSmallFirst("a small file does not wait for big ones to be loaded", [] {
  const test::TempFolder folder;
  const auto big = folder.path() / "big.onnx";
  std::ofstream(big) << "sparse";
  std::filesystem::resize_file(big, std::uintmax_t{64} * 1024 * 1024);
  Rig rig;
  rig.stage->holdLoads(true);
  std::latch loaded(2);
  for (const std::string& file : {big.string(), test::fixture("scalar.onnx")}) {
    rig.scheduler->load(rig.spec(file), [&loaded](const infer::Result<infer::ModelHandle>&) {
      loaded.count_down();
    });
  }
  rig.stage->waitForLoads(2);
  rig.stage->holdLoads(false);
  loaded.wait();
});

struct EngineCase {
  const char* name;
  std::function<infer::Result<std::shared_ptr<infer::Engine>>()> engine;
  ErrorCode code;
  const char* message;
};

const std::vector<EngineCase> kNoEngine = {
    {"an engine that cannot be opened fails the load with its reason",
     [] { return infer::Error{ErrorCode::kEngineUnavailable, "not here", {}}; },
     ErrorCode::kEngineUnavailable, "not here"},
    {"an engine whose opening throws fails the load",
     []() -> infer::Result<std::shared_ptr<infer::Engine>> { throw std::length_error("no"); },
     ErrorCode::kInternal, "affine.onnx: cannot be loaded"},
    {"and one that memory cannot hold says so",
     []() -> infer::Result<std::shared_ptr<infer::Engine>> { throw std::bad_alloc(); },
     ErrorCode::kOutOfMemory, "affine.onnx: cannot be loaded"},
};

const check::AddEach kNoEngines(kNoEngine, [](const EngineCase& row) {
  Rig rig;
  auto spec = rig.spec();
  spec.engine = row.engine;
  check::failed(rig.tryLoad(spec), row.code, row.message);
  const auto model = rig.load();
});

const check::Add kElsewhere("the engine is opened on a thread of the loader's", [] {
  Rig rig;
  auto spec = rig.spec();
  std::thread::id opener;  // read after the load
  spec.engine = [&opener, find = spec.engine] {
    opener = std::this_thread::get_id();
    return find();
  };
  const auto model = rig.load(spec);
  check::that(opener != std::this_thread::get_id(), "another thread");
});

const check::Add kNotPinned("a lane that the system does not pin says so", [] {
  constexpr int kNoSuchCore = 60'000;
  const infer::SteadyClock clock;
  const infer::Lane lane(kNoSuchCore, clock);
  check::that(!lane.core().has_value(), "no core");
});

}  // namespace
