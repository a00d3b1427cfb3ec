// SPDX-License-Identifier: Apache-2.0
// Requests whose caller wants bytes: written where the outputs are, once, and failing alone.
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/scheduler.h"
#include "native/scheduler/start_thread.h"
#include "test/native/check.h"
#include "test/native/fixtures.h"
#include "test/native/inbox.h"
#include "test/native/rig.h"
#include "test/native/tensors.h"

namespace {

using infer::ErrorCode;
using infer::Outputs;
using infer::Result;
using test::Rig;

// The rows and the first value of the only output; refuses outputs of `refused` rows.
class Digest final : public infer::EncodedAnswer {
 public:
  explicit Digest(std::int64_t refused) : refused_(refused) {}
  Result<infer::EncodedText> write(const Outputs& outputs) const override {
    const std::int64_t rows = outputs.front().shape[0];
    if (rows == refused_) {
      return infer::Error{ErrorCode::kBadInput, "too long", {}};
    }
    return infer::EncodedText{
        .text = std::to_string(rows) + " of " +
                std::to_string(static_cast<int>(test::valuesOf<float>(outputs.front()).front()))};
  }

 private:
  std::int64_t refused_;
};

// An answer whose writing lasts until the test opens the gate.
class Gate {
 public:
  void pass() {
    const std::lock_guard lock(mutex_);
    begun_ = true;
    changed_.notify_all();
    changed_.wait(mutex_, [this] { return open_; });
  }
  void waitForBegin() {
    const std::lock_guard lock(mutex_);
    changed_.wait(mutex_, [this] { return begun_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool begun_ = false;
  bool open_ = false;
};

class Slow final : public infer::EncodedAnswer {
 public:
  explicit Slow(Gate& gate) : gate_(gate) {}
  Result<infer::EncodedText> write(const Outputs& /*outputs*/) const override {
    gate_.pass();
    return infer::EncodedText{.text = "written"};
  }

 private:
  Gate& gate_;
};

std::unique_ptr<infer::Request> digested(const Rig& rig, std::uint64_t id,
                                         const test::Content& content, std::int64_t refused = -1) {
  auto request = test::makeRequest(rig.inbox, id, content);
  request->encoded = std::make_unique<Digest>(refused);
  request->encoded->times.parse = 7;
  return request;
}

const check::Add kBatch("of a batch each request gets what it asked for", [] {
  Rig rig;
  const auto model = rig.load();
  infer::Requests requests;
  requests.push_back(digested(rig, 1, {.rows = 2, .value = 3}));
  requests.push_back(test::makeRequest(rig.inbox, 2, {.rows = 1, .value = 4}));
  requests.push_back(digested(rig, 3, {.rows = 3, .value = 5}, 3));
  rig.scheduler->submit(*model, std::move(requests));
  rig.inbox->waitFor(3);
  check::equal(rig.inbox->text(1), "2 of 6", "bytes");
  check::that(rig.inbox->answer(1).value().empty(), "no tensors beside them");
  check::equal(test::valuesOf<float>(rig.inbox->answer(2).value().front()),
               std::vector<float>{8, 8}, "tensors");
  check::failed(rig.inbox->answer(3), ErrorCode::kBadInput, "too long");
  check::equal(model->metrics.completedCount(), std::uint64_t{2}, "completed");
  check::equal(model->metrics.errorCount(static_cast<std::size_t>(ErrorCode::kBadInput)),
               std::uint64_t{1}, "failed");
  check::equal(model->metrics.parseTime().sum(), 14, "nanoseconds of parsing");
  check::equal(model->metrics.formatTime().count(0), std::uint64_t{2}, "writings that are counted");
});

const check::Add kParts("a request in parts is written once, of all its rows", [] {
  Rig rig;
  auto spec = rig.spec();
  spec.limits.maxBatch = 8;
  const auto model = rig.load(spec);
  infer::Requests one;
  one.push_back(digested(rig, 1, {.rows = 20, .value = 3}));
  rig.scheduler->submit(*model, std::move(one));
  rig.inbox->waitFor(1);
  check::equal(rig.inbox->text(1), "20 of 6", "bytes");
  check::equal(model->metrics.formatTime().count(0), std::uint64_t{1}, "writings");
});

const check::Add kTimes("an answer carries what its stages took", [] {
  Rig rig;
  const auto model = rig.load();
  rig.stage->holdRuns(true);
  infer::Requests requests;
  requests.push_back(digested(rig, 1, {.rows = 1, .value = 1}));
  rig.scheduler->submit(*model, std::move(requests));
  rig.stage->waitForRuns(1);
  rig.clock.set(1000);
  requests.clear();
  requests.push_back(digested(rig, 2, {.rows = 1, .value = 1}));
  rig.scheduler->submit(*model, std::move(requests));
  rig.clock.set(5000);
  rig.stage->holdRuns(false);
  rig.inbox->waitFor(2);
  const infer::StageTimes first = rig.inbox->times(1);
  check::equal(first.parse, 7, "parsing");
  check::equal(first.queue, 0, "waiting");
  check::equal(first.run, 5000, "running");
  check::equal(rig.inbox->times(2).queue, 4000, "waiting behind it");
});

const check::Add kCancelled("requests are cancelled while answers of their batch are written", [] {
  Gate gate;
  Rig rig;
  const auto model = rig.load();
  infer::Requests requests;
  requests.push_back(test::makeRequest(rig.inbox, 1, {.rows = 1, .value = 1}));
  requests.back()->encoded = std::make_unique<Slow>(gate);
  requests.push_back(digested(rig, 2, {.rows = 1, .value = 2}));
  rig.scheduler->submit(*model, std::move(requests));
  gate.waitForBegin();
  check::equal(model->queue.running(), std::size_t{2}, "requests that run");
  rig.scheduler->cancel(*model, rig.inbox, {1, 2}, {ErrorCode::kCancelled, "gone", {}});
  check::equal(rig.inbox->count(), std::size_t{2}, "answers while the first is written");
  gate.open();
  rig.submit(model, 3, 3);
  rig.inbox->waitFor(3);
  check::failed(rig.inbox->answer(1), ErrorCode::kCancelled, "gone");
  check::failed(rig.inbox->answer(2), ErrorCode::kCancelled, "gone");
  check::equal(rig.wrongAnswers(3, 3), std::string(), "the next one");
  check::equal(rig.inbox->timesAnswered(1), std::size_t{1}, "answers to 1");
  check::equal(model->metrics.formatTime().count(0), std::uint64_t{1},
               "writings: what nobody waits for is not written");
});

const check::Add kNotHung("a run whose answers are written is over, and cannot hang any more", [] {
  Gate gate;
  Rig rig(2, Rig::Time::kTest, {.start = infer::startThread, .hungAfter = 0});
  auto spec = rig.spec();
  spec.placement.lanes = 1;
  const auto model = rig.load(spec);
  spec.file.path = test::fixture("scalar.onnx");
  const auto other = rig.load(spec);
  infer::Requests one;
  one.push_back(test::makeRequest(rig.inbox, 1, {.rows = 1, .value = 1}));
  one.back()->encoded = std::make_unique<Slow>(gate);
  rig.scheduler->submit(*model, std::move(one));
  gate.waitForBegin();
  rig.scheduler->cancel(*model, rig.inbox, {1}, {ErrorCode::kCancelled, "gone", {}});
  // A run that does hang, on the lane that is looked at after that of the first.
  const std::size_t begun = rig.stage->runs().size();
  rig.stage->hangRuns(1);
  rig.submit(other, 2, 2);
  rig.stage->waitForRuns(begun + 1);
  rig.scheduler->cancel(*other, rig.inbox, {2}, {ErrorCode::kCancelled, "gone", {}});
  while (other->metrics.hungCount() == 0) {
    std::this_thread::yield();
  }
  check::equal(model->metrics.hungCount(), std::uint64_t{0}, "hung runs of the first");
  rig.stage->hangRuns(0);
  gate.open();
  rig.submit(model, 3, 3);
  rig.inbox->waitFor(3);
  check::equal(rig.wrongAnswers(3, 3), std::string(), "the next one");
});

const check::Add kUnwanted("of a batch only those are written that somebody waits for", [] {
  Gate gate;
  Rig rig;
  const auto model = rig.load();
  infer::Requests requests;
  requests.push_back(test::makeRequest(rig.inbox, 1, {.rows = 1, .value = 1}));
  requests.back()->encoded = std::make_unique<Slow>(gate);
  requests.push_back(digested(rig, 2, {.rows = 1, .value = 2}));
  rig.scheduler->submit(*model, std::move(requests));
  gate.waitForBegin();
  rig.scheduler->cancel(*model, rig.inbox, {2}, {ErrorCode::kCancelled, "gone", {}});
  gate.open();
  rig.inbox->waitFor(2);
  check::equal(rig.inbox->text(1), "written", "the other");
  check::equal(model->metrics.formatTime().count(0), std::uint64_t{1}, "writings");
});

const check::Add kRefusedEarly("a request that fails is not written", [] {
  Rig rig;
  const auto model = rig.load();
  infer::Requests one;
  one.push_back(digested(rig, 1, {.rows = 1, .value = -1}));
  rig.scheduler->submit(*model, std::move(one));
  rig.inbox->waitFor(1);
  check::failed(rig.inbox->answer(1), ErrorCode::kEngineFailed, "negative row");
  check::equal(model->metrics.formatTime().count(0), std::uint64_t{0}, "writings");
});

}  // namespace
