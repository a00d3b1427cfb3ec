// SPDX-License-Identifier: Apache-2.0
// An engine for tests of the scheduler: its models double their input, run when the test lets
// them, fail where the test wants it, and are counted.
// Threads: the test tells Stage what to do from its own thread; loads and runs come from others.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/engine/engine.h"

namespace test {

// x float32 [rows, width] to y of the same shape; both axes are free.
infer::Signature doublerSignature();

// y = 2 x; kEngineFailed "negative row" when any value is below zero.
infer::Result<infer::Outputs> doubleOrFail(const infer::Batch& inputs);

struct RunSeen {
  std::int64_t rows = 0;
  std::vector<int> cores;  // the thread may use
  std::thread::id thread;
  std::size_t model = 0;  // counted from 0 in the order they were made
  infer::Shape shape;     // of the first input
};

// Shared by the engine, its models, which lanes and loader threads end, and the test.
class Stage {
 public:
  // What models are and do; set before the first load.
  infer::Signature signature = doublerSignature();
  std::function<infer::Result<infer::Outputs>(const infer::Batch&)> compute = doubleOrFail;

  // Runs (loads) that begin afterwards wait until they are let go; a run also ends when stopped.
  void holdRuns(bool hold);
  void letOneRunGo();
  // The next `runs` that begin go on, whatever they are told, until this is called with 0.
  void hangRuns(std::size_t runs);
  void holdLoads(bool hold);
  void failLoads(std::optional<infer::Error> error);

  // Until so many have begun since the beginning.
  void waitForRuns(std::size_t begun);
  void waitForLoads(std::size_t begun);
  void waitForStops(std::size_t stopped);
  // Until so many models are there.
  void waitForLive(std::size_t live);

  std::size_t loads() const;
  std::size_t stops() const;
  std::size_t live() const;
  std::vector<RunSeen> runs() const;                // in the order they began
  std::vector<std::vector<int>> loadCores() const;  // that the thread of each load could use
  std::vector<std::string> freedOn() const;         // names of the threads that freed a model

  // Of the engine and its models.
  std::optional<infer::Error> beginLoad();
  infer::Result<infer::Outputs> run(std::size_t model, const infer::Batch& inputs,
                                    const std::stop_token& stop);
  std::size_t made();
  void freed();

 private:
  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable_any changed_;
  bool runsHeld_ = false;
  std::size_t permits_ = 0;  // held runs that may go
  std::size_t hangs_ = 0;    // runs that will hang
  bool hanging_ = false;
  bool loadsHeld_ = false;
  std::optional<infer::Error> loadError_;
  std::vector<std::vector<int>> loadCores_;
  std::size_t made_ = 0;
  std::size_t stops_ = 0;
  std::size_t live_ = 0;
  std::vector<RunSeen> runs_;
  std::vector<std::string> freedOn_;
};

class TestEngine final : public infer::Engine {
 public:
  explicit TestEngine(std::shared_ptr<Stage> stage);
  std::string_view name() const override { return "test"; }
  std::vector<infer::Device> devices() const override { return {{"cpu"}}; }
  infer::Result<std::shared_ptr<infer::LoadedModel>> load(const infer::ModelFile& file,
                                                          const infer::Device& device) override;

 private:
  const std::shared_ptr<Stage> stage_;
};

}  // namespace test
