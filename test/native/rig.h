// SPDX-License-Identifier: Apache-2.0
// A scheduler over the test engine, with everything a case needs around it.
// Threads: the case's own thread; what is inside is as thread-safe as it says.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/scheduler/scheduler.h"
#include "native/scheduler/start_thread.h"
#include "test/native/fixtures.h"
#include "test/native/inbox.h"
#include "test/native/test_clock.h"
#include "test/native/test_engine.h"

namespace test {

struct Numbered {
  std::uint64_t id = 0;
  Content content;
};

class Rig {
 public:
  // `lanes` lanes that are not pinned, on four allowed cores; the test clock, or real time.
  enum class Time : std::uint8_t { kTest, kReal };
  explicit Rig(int lanes = 1, Time time = Time::kTest, const infer::ThreadRules& rules = {});

  // For a model of batches of up to 32 rows.
  infer::LoadSpec spec(const std::string& file = fixture("affine.onnx")) const;
  // Waits for the load to end.
  infer::Result<infer::ModelHandle> tryLoad(const infer::LoadSpec& spec);
  // The same for a load that must succeed: throws what went wrong.
  infer::ModelHandle load(const infer::LoadSpec& spec);
  infer::ModelHandle load() { return load(spec()); }
  // Waits until every load asked for before has begun or has joined another.
  void waitForLookups();

  // To `inbox`, all at once.
  void submit(const infer::ModelHandle& model, std::initializer_list<Numbered> requests);
  // Of rows of one value, which is the id.
  void submit(const infer::ModelHandle& model, std::uint64_t firstId, std::uint64_t lastId);
  // The ids of the range that were not answered exactly once with the double of their value, as
  // text; empty when all is well.
  std::string wrongAnswers(std::uint64_t firstId, std::uint64_t lastId) const;

  // Gives the handle's share back and waits until that is done.
  static void release(infer::ModelHandle& model);

  const infer::SteadyClock realClock;
  TestClock clock;
  const std::shared_ptr<Stage> stage = std::make_shared<Stage>();
  const std::shared_ptr<TestEngine> engine = std::make_shared<TestEngine>(stage);
  const std::shared_ptr<Inbox> inbox = std::make_shared<Inbox>();
  std::unique_ptr<infer::Scheduler> scheduler;  // last: its lanes use the rest
};

}  // namespace test
