// SPDX-License-Identifier: Apache-2.0
// Loading: what is shared, what a failed load leaves, where models are placed, who frees them.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "native/base/affinity.h"
#include "native/base/clock.h"
#include "native/base/cpu_budget.h"
#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/engine/engine.h"
#include "native/scheduler/lane.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/scheduler.h"
#include "test/native/check.h"
#include "test/native/fixtures.h"
#include "test/native/inbox.h"
#include "test/native/rig.h"
#include "test/native/temp_folder.h"
#include "test/native/test_engine.h"

namespace {

using infer::ErrorCode;
using test::Rig;

std::vector<infer::Lane*> lanesOf(const infer::ModelHandle& model) {
  return model->lanes.all();
}

const check::Add kShared("two loads of a file share one model until the last release", [] {
  Rig rig;
  auto first = rig.load();
  auto second = rig.load();
  check::that(&*first == &*second, "the same model twice");
  check::equal(rig.stage->loads(), std::size_t{1}, "loads");
  Rig::release(first);
  check::equal(rig.stage->live(), std::size_t{1}, "models after the first release");
  rig.submit(second, 1, 1);
  rig.inbox->waitFor(1);
  check::equal(rig.wrongAnswers(1, 1), "", "the second handle still answered");
  Rig::release(second);
  rig.stage->waitForLive(0);
});

const check::Add kFreedOn("the last release frees the model on a loader thread", [] {
  Rig rig;
  auto model = rig.load();
  Rig::release(model);
  rig.stage->waitForLive(0);
  check::equal(rig.stage->freedOn().front(), "infer-load", "the thread that freed it");
});

const check::Add kReleaseTwice("a handle that has no share any more can be released again", [] {
  Rig rig;
  auto model = rig.load();
  Rig::release(model);
  Rig::release(model);
  check::that(!model, "an empty handle");
  infer::ModelHandle moved = rig.load();
  moved = infer::ModelHandle();
  rig.stage->waitForLive(0);
});

const check::Add kJoined("a load joins one that is under way", [] {
  Rig rig;
  rig.stage->holdLoads(true);
  std::vector<std::promise<bool>> loaded(3);
  for (auto& promise : loaded) {
    rig.scheduler->load(rig.spec(), [&promise](infer::Result<infer::ModelHandle> handle) {
      promise.set_value(handle.ok());  // and gives the share back at once
    });
  }
  rig.waitForLookups();
  rig.stage->holdLoads(false);
  for (auto& promise : loaded) {
    check::that(promise.get_future().get(), "a model");
  }
  check::equal(rig.stage->loads(), std::size_t{1}, "loads");
  rig.stage->waitForLive(0);
});

const check::Add kOtherLimits("other limits, threads or lanes make another model", [] {
  Rig rig(2);
  std::vector<infer::ModelHandle> models;
  models.push_back(rig.load());
  const auto with = [&](auto change) {
    auto spec = rig.spec();
    change(spec);
    models.push_back(rig.load(spec));
  };
  with([](infer::LoadSpec& spec) { spec.limits.maxBatch = 8; });
  with([](infer::LoadSpec& spec) { spec.limits.maxDelay = 1; });
  with([](infer::LoadSpec& spec) { spec.limits.maxQueue = 8; });
  with([](infer::LoadSpec& spec) { spec.file.threadsPerRun = 2; });
  with([](infer::LoadSpec& spec) { spec.placement.lanes = 1; });
  with([](infer::LoadSpec& spec) { spec.file.path = test::fixture("scalar.onnx"); });
  check::equal(rig.stage->live(), models.size(), "models");
});

const check::Add kOtherPadding(
    "another value of padding makes another model, the same one none", [] {
      Rig rig;
      rig.stage->signature = test::doublerSignature();
      for (auto* side : {&rig.stage->signature.inputs, &rig.stage->signature.outputs}) {
        side->front().axisNames = {"", "width"};
      }
      const auto load = [&rig](double value) {
        auto spec = rig.spec();
        spec.padding = {{.input = "x", .value = value, .mask = ""}};
        return rig.load(spec);
      };
      const auto zero = load(0);
      const auto same = load(0);
      const auto tiny = load(1e-9);  // as text of six digits the same as 0
      const auto minus = load(-1);
      check::that(&*zero == &*same, "one model for equal values");
      check::equal(rig.stage->live(), std::size_t{3}, "models for three values");
    });

const check::Add kLink("a link to a file is the file; a replaced file is another", [] {
  const test::TempFolder folder;
  const auto file = folder.path() / "model.onnx";
  std::ofstream(file) << "one";
  std::filesystem::create_symlink(file, folder.path() / "link.onnx");
  Rig rig;
  const auto first = rig.load(rig.spec(file));
  const auto linked = rig.load(rig.spec(folder.path() / "link.onnx"));
  check::that(&*first == &*linked, "the same model");
  std::ofstream(file) << "three";
  const auto replaced = rig.load(rig.spec(file));
  check::that(&*first != &*replaced, "another model");
  check::equal(rig.stage->live(), std::size_t{2}, "models");
});

const check::Add kFailure("a failed load tells everybody who waits and leaves nothing", [] {
  Rig rig;
  rig.stage->failLoads(infer::Error{ErrorCode::kModelInvalid, "broken", {}});
  rig.stage->holdLoads(true);
  std::vector<std::promise<infer::ErrorCode>> codes(2);
  for (auto& promise : codes) {
    rig.scheduler->load(rig.spec(), [&promise](infer::Result<infer::ModelHandle> handle) {
      promise.set_value(handle.ok() ? ErrorCode::kInternal : handle.error().code);
    });
  }
  rig.waitForLookups();
  rig.stage->holdLoads(false);
  for (auto& promise : codes) {
    check::equal(promise.get_future().get(), ErrorCode::kModelInvalid, "the engine's error");
  }
  check::equal(rig.stage->live(), std::size_t{0}, "models");
  rig.stage->failLoads({});
  auto model = rig.load();
  check::equal(rig.stage->loads(), std::size_t{2}, "loads: a failure is not remembered");
});

const check::Add kMissing("two missing files are two loads, each with its own error", [] {
  Rig rig;
  rig.stage->failLoads(infer::Error{ErrorCode::kModelNotFound, "missing", {}});
  rig.stage->holdLoads(true);
  std::vector<std::promise<void>> done(2);
  for (std::size_t i = 0; i < done.size(); ++i) {
    rig.scheduler->load(rig.spec(test::fixture("missing-" + std::to_string(i))),
                        [&done, i](infer::Result<infer::ModelHandle> handle) {
                          check::failed(handle, ErrorCode::kModelNotFound, "missing");
                          done[i].set_value();
                        });
  }
  rig.stage->holdLoads(false);
  for (auto& promise : done) {
    promise.get_future().get();
  }
  check::equal(rig.stage->loads(), std::size_t{2}, "loads");
});

struct RefusedCase {
  const char* name;
  void (*change)(infer::LoadSpec&, infer::Signature&);
  ErrorCode code;
  const char* message;
};

constexpr std::int64_t kHuge = 1'099'511'627'776;  // 2^40

const std::vector<RefusedCase> kRefused = {
    {"batching a model without free rows is refused",
     [](infer::LoadSpec& spec, infer::Signature& signature) {
       spec.limits.maxBatch = 8;
       signature.outputs.front().batchAxis.reset();
     },
     ErrorCode::kBadInput, "batching.maxBatch: expected 1"},
    {"a core outside the process's is refused and the allowed ones listed",
     [](infer::LoadSpec& spec, infer::Signature&) { spec.placement.cores = {1, 4}; },
     ErrorCode::kBadInput, "core 4 is not one this process may use; it may use 0, 1, 2, 3"},
    {"more lanes than cores are refused",
     [](infer::LoadSpec& spec, infer::Signature&) { spec.placement.lanes = 5; },
     ErrorCode::kBadInput, "at most the 4 cores this process may use, got 5"},
    {"a failing warm-up fails the load",
     [](infer::LoadSpec& spec, infer::Signature& signature) {
       spec.warmup = true;
       signature.inputs.front().shape = {1, kHuge, kHuge};
     },
     ErrorCode::kModelInvalid, "the warm-up run with zeros failed"},
};

const check::AddEach kRefusals(kRefused, [](const RefusedCase& row) {
  Rig rig(2);
  auto spec = rig.spec();
  row.change(spec, rig.stage->signature);
  check::failed(rig.tryLoad(spec), row.code, row.message);
  check::equal(rig.stage->live(), std::size_t{0}, "models");
});

const check::Add kNoMemory("a warm-up that memory cannot hold fails the load alone", [] {
  if (!std::string(INFER_SANITIZER).empty()) {
    check::skip("sanitizers end the program at such an allocation");
    return;
  }
  Rig rig;
  auto spec = rig.spec();
  spec.warmup = true;
  rig.stage->signature.inputs.front().shape = {1, kHuge, 262'144};
  check::failed(rig.tryLoad(spec), ErrorCode::kOutOfMemory, "cannot be loaded");
  check::equal(rig.stage->live(), std::size_t{0}, "models");
});

const check::Add kWarm("a warm-up is one run of one row of zeros", [] {
  Rig rig;
  auto spec = rig.spec();
  spec.warmup = true;
  const auto model = rig.load(spec);
  check::equal(rig.stage->runs().size(), std::size_t{1}, "runs");
  check::equal(rig.stage->runs().front().rows, 1, "rows");
  check::equal(model->metrics.batchCount(), std::uint64_t{0}, "counted batches");
});

const check::Add kWarmDeclared("a warm-up keeps to the shapes that are declared for free axes", [] {
  Rig rig;
  auto spec = rig.spec();
  spec.warmup = true;
  infer::TensorSpec& input = rig.stage->signature.inputs.front();
  input.shape = {infer::kFreeAxis, infer::kFreeAxis, 2};
  spec.declared[input.name] = {infer::kFreeAxis, 7, 2};
  const auto model = rig.load(spec);
  const infer::Shape expected = {1, 7, 2};
  check::that(rig.stage->runs().front().shape == expected, "1 x 7 x 2");
});

const check::Add kLeastLoaded("a model with fewer lanes goes to the least loaded", [] {
  Rig rig(2);
  auto spec = rig.spec();
  spec.placement.lanes = 1;
  std::vector<infer::ModelHandle> models;
  std::multiset<const infer::Lane*> used;
  for (const char* file : {"affine.onnx", "scalar.onnx", "gather.onnx", "spin.onnx"}) {
    spec.file.path = test::fixture(file);
    models.push_back(rig.load(spec));
    check::equal(lanesOf(models.back()).size(), std::size_t{1}, "lanes");
    used.insert(lanesOf(models.back()).front());
  }
  check::equal(std::set<const infer::Lane*>(used.begin(), used.end()).size(), std::size_t{2},
               "lanes used");
  check::equal(used.count(*used.begin()), std::size_t{2}, "models on each");
  Rig::release(models[0]);
  Rig::release(models[2]);
  spec.file.path = test::fixture("free_axes.onnx");
  const auto next = rig.load(spec);
  check::that(lanesOf(next).front() != lanesOf(models[1]).front(), "the lane that was freed");
});

const check::Add kDefaultLanes("a model goes to every default lane, more if asked", [] {
  Rig rig(2);
  const auto model = rig.load();
  check::equal(lanesOf(model).size(), std::size_t{2}, "default lanes");
  auto spec = rig.spec();
  spec.placement.lanes = 4;
  const auto wide = rig.load(spec);
  check::equal(lanesOf(wide).size(), std::size_t{4}, "lanes asked for");
});

const check::Add kPinned("runs happen on the cores that were asked for", [] {
  const auto allowed = infer::allowedCores();
  if (!std::filesystem::exists("/proc/self/status")) {
    check::skip("this system does not pin threads");
    return;
  }
  const int core = allowed.value().back();
  const infer::SteadyClock clock;
  const auto stage = std::make_shared<test::Stage>();
  const auto inbox = std::make_shared<test::Inbox>();
  infer::Scheduler scheduler(allowed.value(), infer::planLanes(allowed.value()), clock);
  infer::LoadSpec spec;
  spec.engine = [&stage] {
    return infer::Result<std::shared_ptr<infer::Engine>>(std::make_shared<test::TestEngine>(stage));
  };
  spec.file.path = test::fixture("affine.onnx");
  spec.limits.maxQueue = 1;
  spec.placement.cores = {core};
  std::promise<infer::ModelHandle> loaded;
  scheduler.load(spec, [&loaded](infer::Result<infer::ModelHandle> handle) {
    loaded.set_value(std::move(handle).value());
  });
  const auto model = loaded.get_future().get();
  check::equal(model->lanes.all().front()->core().value_or(-1), core, "the lane's core");
  infer::Requests requests;
  requests.push_back(test::makeRequest(inbox, 1, {}));
  scheduler.submit(*model, std::move(requests));
  inbox->waitFor(1);
  check::equal(stage->runs().front().cores, std::vector<int>{core}, "the run's only core");
});

}  // namespace
