// SPDX-License-Identifier: Apache-2.0
// Models that double their input when they may.
#include "test/native/test_engine.h"

#include <algorithm>
#include <cstddef>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "native/base/affinity.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/engine/engine.h"
#include "test/native/tensors.h"

namespace test {
namespace {

using infer::Error;
using infer::ErrorCode;
using infer::Outputs;
using infer::Result;

std::string threadName() {
  std::string name;
  std::getline(std::ifstream("/proc/thread-self/comm"), name);
  return name;
}

class TestModel final : public infer::LoadedModel {
 public:
  explicit TestModel(std::shared_ptr<Stage> stage)
      : stage_(std::move(stage)), number_(stage_->made()) {}
  ~TestModel() override { stage_->freed(); }
  TestModel(const TestModel&) = delete;
  TestModel& operator=(const TestModel&) = delete;

  const infer::Signature& signature() const override { return stage_->signature; }
  Result<Outputs> run(const infer::Batch& inputs, const std::stop_token& stop) override {
    return stage_->run(number_, inputs, stop);
  }

 private:
  const std::shared_ptr<Stage> stage_;
  const std::size_t number_;
};

// That this thread may use.
std::vector<int> coresHere() {
  auto cores = infer::allowedCores();
  return cores.ok() ? std::move(cores).value() : std::vector<int>{};
}

}  // namespace

infer::Signature doublerSignature() {
  const auto spec = [](const char* name) {
    return infer::TensorSpec{name,
                             infer::ElementType::kFloat32,
                             {infer::kFreeAxis, infer::kFreeAxis},
                             std::string("rows")};
  };
  return {{spec("x")}, {spec("y")}};
}

Result<Outputs> doubleOrFail(const infer::Batch& inputs) {
  const infer::Tensor& x = inputs.inputs.front();
  std::vector<float> values(infer::elementCount(x.shape).value());
  std::copy_n(reinterpret_cast<const float*>(x.bytes.data()), values.size(), values.begin());
  if (std::ranges::any_of(values, [](float value) { return value < 0; })) {
    return Error{ErrorCode::kEngineFailed, "negative row", {}};
  }
  std::ranges::for_each(values, [](float& value) { value *= 2; });
  return Outputs{floats(x.shape, values)};
}

void Stage::holdRuns(bool hold) {
  {
    const std::lock_guard lock(mutex_);
    runsHeld_ = hold;
  }
  changed_.notify_all();
}

void Stage::letOneRunGo() {
  {
    const std::lock_guard lock(mutex_);
    ++permits_;
  }
  changed_.notify_all();
}

void Stage::hangRuns(std::size_t runs) {
  {
    const std::lock_guard lock(mutex_);
    hangs_ = runs;
    hanging_ = runs > 0;
  }
  changed_.notify_all();
}

void Stage::holdLoads(bool hold) {
  {
    const std::lock_guard lock(mutex_);
    loadsHeld_ = hold;
  }
  changed_.notify_all();
}

void Stage::failLoads(std::optional<Error> error) {
  const std::lock_guard lock(mutex_);
  loadError_ = std::move(error);
}

void Stage::waitForRuns(std::size_t begun) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this, begun] { return runs_.size() >= begun; });
}

void Stage::waitForLoads(std::size_t begun) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this, begun] { return loadCores_.size() >= begun; });
}

void Stage::waitForStops(std::size_t stopped) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this, stopped] { return stops_ >= stopped; });
}

void Stage::waitForLive(std::size_t live) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this, live] { return live_ == live; });
}

std::size_t Stage::loads() const {
  const std::lock_guard lock(mutex_);
  return loadCores_.size();
}

std::size_t Stage::stops() const {
  const std::lock_guard lock(mutex_);
  return stops_;
}

std::size_t Stage::live() const {
  const std::lock_guard lock(mutex_);
  return live_;
}

std::vector<RunSeen> Stage::runs() const {
  const std::lock_guard lock(mutex_);
  return runs_;
}

std::vector<std::vector<int>> Stage::loadCores() const {
  const std::lock_guard lock(mutex_);
  return loadCores_;
}

std::vector<std::string> Stage::freedOn() const {
  const std::lock_guard lock(mutex_);
  return freedOn_;
}

std::optional<Error> Stage::beginLoad() {
  std::vector<int> cores = coresHere();
  std::unique_lock lock(mutex_);
  loadCores_.push_back(std::move(cores));
  changed_.notify_all();
  changed_.wait(lock, [this] { return !loadsHeld_; });
  return loadError_;
}

Result<Outputs> Stage::run(std::size_t model, const infer::Batch& inputs,
                           const std::stop_token& stop) {
  std::vector<int> cores = coresHere();
  {
    std::unique_lock lock(mutex_);
    runs_.push_back({.rows = inputs.rows,
                     .cores = std::move(cores),
                     .thread = std::this_thread::get_id(),
                     .model = model,
                     .shape = inputs.inputs.front().shape});
    changed_.notify_all();
    if (hangs_ > 0) {
      --hangs_;
      changed_.wait(lock, [this] { return !hanging_; });
    }
    changed_.wait(lock, stop, [this] { return !runsHeld_ || permits_ > 0; });
    if (stop.stop_requested()) {
      ++stops_;
      changed_.notify_all();
      return Error{ErrorCode::kEngineFailed, "stopped", {}};
    }
    permits_ -= permits_ > 0 ? 1 : 0;
  }
  return compute(inputs);
}

std::size_t Stage::made() {
  const std::size_t number = [this] {
    const std::lock_guard lock(mutex_);
    ++live_;
    return made_++;
  }();
  changed_.notify_all();
  return number;
}

void Stage::freed() {
  const std::lock_guard lock(mutex_);
  --live_;
  freedOn_.push_back(threadName());
  changed_.notify_all();
}

TestEngine::TestEngine(std::shared_ptr<Stage> stage) : stage_(std::move(stage)) {}

Result<std::shared_ptr<infer::LoadedModel>> TestEngine::load(const infer::ModelFile& /*file*/,
                                                             const infer::Device& /*device*/) {
  if (auto error = stage_->beginLoad()) {
    return *std::move(error);
  }
  return std::shared_ptr<infer::LoadedModel>(std::make_shared<TestModel>(stage_));
}

}  // namespace test
