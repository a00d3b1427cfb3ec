// SPDX-License-Identifier: Apache-2.0
// Loading and submitting in one line.
#include "test/native/rig.h"

#include <algorithm>
#include <cstdint>
#include <future>
#include <initializer_list>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "native/base/clock.h"
#include "native/base/cpu_budget.h"
#include "native/base/error.h"
#include "native/engine/engine.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/scheduler.h"
#include "native/scheduler/start_thread.h"
#include "test/native/inbox.h"
#include "test/native/tensors.h"

namespace test {

Rig::Rig(int lanes, Time time, const infer::ThreadRules& rules) {
  const std::vector<int> cores = {0, 1, 2, 3};
  const infer::CpuBudget budget{.cores = cores,
                                .quota = std::numeric_limits<double>::infinity(),
                                .lanes = lanes,
                                .pin = false,
                                .reason = ""};
  const infer::Clock& shown =
      time == Time::kTest ? static_cast<const infer::Clock&>(clock) : realClock;
  scheduler = std::make_unique<infer::Scheduler>(cores, budget, shown, rules);
}

infer::LoadSpec Rig::spec(const std::string& file) const {
  infer::LoadSpec spec;
  spec.engine = [engine = engine] { return infer::Result<std::shared_ptr<infer::Engine>>(engine); };
  spec.device = {"cpu"};
  spec.file.path = file;
  spec.limits = {.batchable = true, .maxBatch = 32, .maxDelay = 0, .maxQueue = 1024};
  return spec;
}

infer::Result<infer::ModelHandle> Rig::tryLoad(const infer::LoadSpec& spec) {
  // Shared with the callback, which a loader thread may still hold when the answer is there.
  const auto loaded = std::make_shared<std::promise<infer::Result<infer::ModelHandle>>>();
  auto result = loaded->get_future();
  scheduler->load(spec, [loaded](infer::Result<infer::ModelHandle> handle) {
    loaded->set_value(std::move(handle));
  });
  return result.get();
}

infer::ModelHandle Rig::load(const infer::LoadSpec& spec) {
  auto loaded = tryLoad(spec);
  if (!loaded.ok()) {
    throw std::runtime_error("cannot load " + spec.file.path + ": " + loaded.error().message);
  }
  return std::move(loaded).value();
}

void Rig::waitForLookups() {
  auto last = spec();  // looked up in order, by one thread; refused there, it ends the wait
  last.engine = [] {
    return infer::Result<std::shared_ptr<infer::Engine>>(
        infer::Error{infer::ErrorCode::kEngineUnavailable, "no load", {}});
  };
  if (tryLoad(last).ok()) {
    throw std::runtime_error("a load without an engine succeeded");
  }
}

void Rig::submit(const infer::ModelHandle& model, std::initializer_list<Numbered> requests) {
  infer::Requests all;
  for (const Numbered& request : requests) {
    all.push_back(makeRequest(inbox, request.id, request.content));
  }
  scheduler->submit(*model, std::move(all));
}

void Rig::submit(const infer::ModelHandle& model, std::uint64_t firstId, std::uint64_t lastId) {
  infer::Requests all;
  for (std::uint64_t id = firstId; id <= lastId; ++id) {
    all.push_back(makeRequest(inbox, id, {.value = static_cast<float>(id)}));
  }
  scheduler->submit(*model, std::move(all));
}

std::string Rig::wrongAnswers(std::uint64_t firstId, std::uint64_t lastId) const {
  std::string wrong;
  for (std::uint64_t id = firstId; id <= lastId; ++id) {
    const auto answer = inbox->answer(id);
    const bool right =
        inbox->timesAnswered(id) == 1 && answer.ok() &&
        std::ranges::all_of(valuesOf<float>(answer.value().front()),
                            [id](float value) { return value == 2 * static_cast<float>(id); });
    if (!right) {
      wrong += std::to_string(id) + (answer.ok() ? " " : ": " + answer.error().message + " ");
    }
  }
  return wrong;
}

void Rig::release(infer::ModelHandle& model) {
  const auto freed = std::make_shared<std::promise<void>>();
  auto done = freed->get_future();
  model.release([freed] { freed->set_value(); });
  done.get();
}

}  // namespace test
