// SPDX-License-Identifier: Apache-2.0
// Several threads that load, submit, cancel and release at random, each the same way every time.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/scheduler.h"
#include "test/native/check.h"
#include "test/native/fixtures.h"
#include "test/native/inbox.h"
#include "test/native/rig.h"
#include "test/native/tensors.h"
#include "test/native/test_engine.h"

namespace {

using infer::ErrorCode;
using test::Rig;
using Where = infer::Scheduler::Where;

constexpr std::size_t kThreads = 4;
constexpr int kOperations = 1500;  // of each thread
constexpr std::array<const char*, 3> kFiles = {"affine.onnx", "scalar.onnx", "spin.onnx"};

// One JS environment, as far as the scheduler can tell: its own ids, channel and handles.
class Caller {
 public:
  Caller(Rig& rig, std::uint32_t seed, Where where) : rig_(rig), random_(seed), where_(where) {}

  void work() {
    for (int i = 0; i < kOperations; ++i) {
      step();
    }
    for (auto& model : models_) {
      Rig::release(model);
    }
    inbox_->waitFor(ids_.size());
  }

  // Every request was answered once, and each answer is the right one or a right refusal.
  std::string problems() const {
    std::string all;
    for (const std::uint64_t id : ids_) {
      const auto answer = inbox_->answer(id);
      const bool good = inbox_->timesAnswered(id) == 1 && (answer.ok() || allowed(answer.error()));
      if (!good || (answer.ok() && !doubled(answer.value(), id))) {
        all += std::to_string(id) + ' ';
      }
    }
    return all;
  }
  std::size_t requests() const { return ids_.size(); }

 private:
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_() % limit); }

  void step() {
    auto& model = models_[below(kFiles.size())];
    const std::uint32_t what = below(20);
    if (!model) {
      model = load(static_cast<std::size_t>(&model - models_.data()));
    } else if (what < 12) {
      submit(model);
    } else if (what < 18 && !ids_.empty()) {
      const std::uint64_t id = ids_[ids_.size() - 1 - below(std::min<std::size_t>(ids_.size(), 9))];
      rig_.scheduler->cancel(*model, inbox_, {id}, {ErrorCode::kCancelled, "gone", {}});
    } else if (what == 18) {
      Rig::release(model);
    } else {
      inbox_->waitFor(ids_.size() / 2);
    }
  }

  infer::ModelHandle load(std::size_t file) {
    auto spec = rig_.spec(test::fixture(kFiles[file]));
    spec.limits.maxBatch = 8;
    spec.limits.maxQueue = 64;
    spec.limits.maxDelay = file == 0 && where_ == Where::kLane ? 100'000 : 0;
    return rig_.load(spec);
  }

  void submit(const infer::ModelHandle& model) {
    infer::Requests requests;
    for (std::uint32_t count = 1 + below(6); count > 0; --count) {
      const std::uint64_t id = ids_.size() + 1;
      ids_.push_back(id);
      const auto sign = below(50) == 0 ? -1.0F : 1.0F;
      requests.push_back(test::makeRequest(
          inbox_, id,
          {.rows = below(10), .value = sign * static_cast<float>(id), .width = width()}));
      if (below(4) == 0) {
        requests.back()->deadline = rig_.realClock.now() + below(1'000'000);
      }
    }
    rig_.scheduler->submit(*model, std::move(requests), where_);
  }

  // A model that may run on its caller's thread has one free axis only.
  std::int64_t width() { return where_ == Where::kHere ? 2 : 1 + below(2); }

  static bool allowed(const infer::Error& error) {
    return error.code == ErrorCode::kCancelled || error.code == ErrorCode::kQueueFull ||
           error.code == ErrorCode::kDeadline || error.code == ErrorCode::kClosed ||
           error.message == "negative row";
  }

  static bool doubled(const infer::Outputs& outputs, std::uint64_t id) {
    const auto values = test::valuesOf<float>(outputs.front());
    return std::ranges::all_of(values,
                               [id](float value) { return value == 2 * static_cast<float>(id); });
  }

  Rig& rig_;
  std::mt19937 random_;
  const Where where_;
  const std::shared_ptr<test::Inbox> inbox_ = std::make_shared<test::Inbox>();
  std::array<infer::ModelHandle, kFiles.size()> models_;
  std::vector<std::uint64_t> ids_;
};

void callAtOnce(Rig& rig, Where where) {
  std::vector<std::unique_ptr<Caller>> callers;
  for (std::uint32_t seed = 1; seed <= kThreads; ++seed) {
    callers.push_back(std::make_unique<Caller>(rig, seed, where));
  }
  {
    std::vector<std::jthread> threads;
    threads.reserve(callers.size());
    for (const auto& caller : callers) {
      threads.emplace_back([&caller] { caller->work(); });
    }
  }
  for (const auto& caller : callers) {
    check::that(caller->requests() > 1000, "over 1000 requests a caller");
    check::equal(caller->problems(), "", "no request lost, answered twice or wrongly");
  }
  rig.stage->waitForLive(0);
}

const check::Add kRandom("callers that do everything at once get every answer once", [] {
  Rig rig(3, Rig::Time::kReal);
  callAtOnce(rig, Where::kLane);
});

const check::Add kHere("so do callers that run small batches on their own threads", [] {
  constexpr std::size_t kLanes = 3;
  Rig rig(kLanes);  // its clock stands still, so that every run is a quick one
  rig.stage->signature.inputs.front().shape = {infer::kFreeAxis, 2};
  rig.stage->signature.outputs.front().shape = {infer::kFreeAxis, 2};
  rig.stage->signature.steadyCost = true;
  callAtOnce(rig, Where::kHere);
  std::set<std::thread::id> threads;
  for (const test::RunSeen& run : rig.stage->runs()) {
    threads.insert(run.thread);
  }
  check::that(threads.size() > kLanes, "runs on callers' threads");
});

const check::Add kEnding("environments that end at random leave the others' requests alone", [] {
  for (std::uint32_t round = 0; round < 30; ++round) {
    Rig rig(2, Rig::Time::kReal);
    const auto model = rig.load();
    std::vector<std::jthread> ending;
    ending.reserve(3);
    for (std::uint32_t i = 0; i < 3; ++i) {
      ending.emplace_back([&rig] {
        const auto inbox = std::make_shared<test::Inbox>();
        auto own = rig.load();
        for (std::uint64_t id = 1; id <= 50; ++id) {
          infer::Requests requests;
          requests.push_back(test::makeRequest(inbox, id, {.value = 1}));
          rig.scheduler->submit(*own, std::move(requests));
        }
        infer::Scheduler::abandon(*own, inbox.get());
      });
    }
    for (std::uint64_t id = 1; id <= 100; ++id) {
      rig.submit(model, id, id);
    }
    rig.inbox->waitFor(100);
    check::equal(rig.wrongAnswers(1, 100), "", "all answers of the one that stays");
  }
});

}  // namespace
