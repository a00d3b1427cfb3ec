// SPDX-License-Identifier: Apache-2.0
// What must hold for the queue, its policy and the packing of batches in any sequence of arrivals,
// runs, cancellations and passing time: random ones, the same every time, on a clock of the test's
// own, with lanes that take work whenever they are idle and a model that doubles what it is given.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/scheduler/buckets.h"
#include "native/scheduler/padding.h"
#include "native/scheduler/policy.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/run.h"
#include "native/scheduler/served_model.h"
#include "test/native/check.h"
#include "test/native/random_requests.h"
#include "test/native/tensors.h"
#include "test/native/test_clock.h"

namespace {

using infer::BatchMode;
using infer::ErrorCode;
using infer::kNever;
using infer::Limits;
using infer::TimeNs;
using test::Known;

// Under a sanitizer fewer: each costs ten times as much, and what they find is in the first ones.
constexpr std::uint32_t kSequences = std::string_view(INFER_SANITIZER).empty() ? 100'000 : 10'000;

class Sequence final : public infer::ReplyChannel, public std::enable_shared_from_this<Sequence> {
 public:
  explicit Sequence(std::uint32_t seed)
      : random_(seed),
        lanes_(static_cast<std::size_t>(1 + below(3))),
        measured_(random_.measured()),
        limits_(random_.limits()),
        doubler_(std::make_shared<test::Doubler>()),
        model_(doubler_, {"test", {"cpu"}, "model"}, limits_, 1) {
    if (limits_.batchable && below(3) == 0) {
      model_.padding = infer::resolvePadding({{"x", 5, ""}}, model_.signature, true).value();
    }
  }

  // The first thing that did not hold, or "".
  std::string play() {
    for (std::uint32_t steps = 5 + below(25); steps > 0; --steps) {
      step();
      pump();
    }
    if (below(4) == 0) {
      close();
    }
    drain();
    return broken_;
  }

  void deliver(std::vector<infer::Reply> replies) override {
    for (const infer::Reply& reply : replies) {
      Known& known = known_[reply.id];
      require(!known.ended, "one end each");
      known.ended = true;
      if (reply.result.ok()) {
        checkAnswer(reply);
      } else if (reply.result.error().code == ErrorCode::kEngineFailed) {
        require(known.poisoned, "nobody to fail for another's row");
        leaveQueue(reply.id);  // the rest of a request in parts
      }
    }
  }

 private:
  std::int64_t below(std::int64_t limit) { return random_.below(limit); }

  bool isPadded() const { return !model_.padding.inputs.empty(); }
  bool isTriton() const { return limits_.batchable && limits_.mode == BatchMode::kTriton; }
  // Time that a run takes, by which requests expire early.
  TimeNs costOf(std::int64_t rows) const {
    return measured_ && measured_->cost.known && measured_->cost.steady
               ? measured_->cost.of(infer::paddedRows(limits_.buckets, rows))
               : 0;
  }

  void require(bool holds, const char* what) {
    if (!holds && broken_.empty()) {
      broken_ = what;
    }
  }

  void step() {
    switch (below(8)) {
      case 0:
      case 1:
      case 2:
        submit();
        break;
      case 3:
      case 4:
        pass(below(30));
        break;
      case 5:
      case 6:
        finish();
        break;
      default:
        cancel();
    }
  }

  Known randomRequest() {
    Known known{.rows = below(limits_.maxBatch + 3),
                .width = below(8) == 0 ? 0 : 1 + below(3),
                .arrived = now(),
                .deadline = below(4) == 0 ? now() + 1 + below(60) : kNever};
    if (isTriton()) {
      known.rows = std::min(known.rows, limits_.maxBatch);  // lib/ refuses more
    } else if (limits_.batchable && below(4) == 0) {
      known.rows += below(3 * limits_.maxBatch);
    }
    known.poisoned = known.rows * known.width > 0 && below(16) == 0;
    return known;
  }

  void submit() {
    infer::Requests requests;
    const std::size_t first = known_.size();
    for (std::int64_t count = 1 + below(3); count > 0; --count) {
      known_.push_back(randomRequest());
      const Known& known = known_.back();
      auto request = std::make_unique<infer::Request>();
      request->id = known_.size() - 1;
      request->channel = shared_from_this();
      request->deadline = known.deadline;
      request->inputs = {
          test::floats({known.rows, known.width}, test::valuesOf(request->id, known))};
      require(infer::measure(*request, model_.signature, model_.padding).ok(), "a request");
      require(request->rows == known.rows, "its rows");
      requests.push_back(std::move(request));
    }
    const std::size_t room = limits_.maxQueue - std::min(limits_.maxQueue, waiting_.size());
    const std::size_t fits = std::min(room, requests.size());
    const std::size_t offered = requests.size();
    model_.queue.submit(requests, now());
    require(requests.size() == offered - fits, "as many accepted as fit");
    for (std::size_t i = 0; i < offered; ++i) {
      if (i < fits) {
        waiting_.push_back(first + i);
      } else {
        known_[first + i].ended = true;
        require(requests[i - fits]->id == first + i, "the refused ones in their order");
      }
    }
  }

  void leaveQueue(std::uint64_t id) {
    known_[id].waits = false;
    std::erase(waiting_, id);
  }

  // Lanes that are idle look for work, as they do when anything changes.
  void pump() {
    waitUntil_ = kNever;
    while (running_.size() < lanes_ && take()) {
    }
    busyUntil_ = running_.size() == lanes_ ? now() : busyUntil_;
  }

  bool take() {
    auto batch = std::make_unique<infer::Taken>();
    if (measured_) {
      measured_->idleLanes = lanes_ - running_.size() - 1;
    }
    const bool manyWait = model_.queue.waiting().rows > limits_.maxBatch;
    auto result = model_.queue.take(*batch, now(), measured_);
    for (const auto& request : result.expired) {
      checkExpired(known_[request->id], manyWait);
      leaveQueue(request->id);
    }
    infer::fail(model_, std::move(result.expired), infer::lateInQueue());
    require(std::ranges::all_of(waiting_, [this](auto id) { return known_[id].deadline > now(); }),
            "everything late to be expired");
    if (batch->requests.empty()) {
      checkWait(result.waitUntil);
      waitUntil_ = result.waitUntil;
      return false;
    }
    require(result.waitUntil == kNever, "no time to wait for beside a batch");
    checkBatch(batch->requests);
    for (const auto& request : batch->requests) {
      Known& known = known_[request->id];
      require(known.waits, "nothing taken that did not wait");
      require(request->offset == known.taken, "its rows in their order");
      known.taken += request->rows;
      if (known.taken == known.rows) {
        leaveQueue(request->id);
      }
    }
    running_.push_back(std::move(batch));
    return true;
  }

  void checkExpired(const Known& known, bool manyWait) {
    require(known.deadline <= now() + costOf(manyWait ? limits_.maxBatch : 1),
            "nothing expired too early");
    require(isTriton() || busyUntil_ >= known.arrived ||
                known.deadline <= known.arrived + costOf(limits_.maxBatch),
            "no deadline passed while a lane was idle");
  }

  // Requests that can share a batch with one of this width, oldest first.
  std::vector<std::uint64_t> sameShape(std::int64_t width) {
    std::vector<std::uint64_t> ids;
    std::ranges::copy_if(waiting_, std::back_inserter(ids), [this, width](auto id) {
      return isPadded() || known_[id].width == width;
    });
    return ids;
  }

  std::int64_t rowsLeft(std::uint64_t id) { return known_[id].rows - known_[id].taken; }

  void checkWait(TimeNs waitUntil) {
    if (waiting_.empty()) {
      require(waitUntil == kNever, "nothing to wait for in an empty queue");
      return;
    }
    std::int64_t rows = 0;
    for (const auto id : sameShape(known_[waiting_.front()].width)) {
      rows += rowsLeft(id);
    }
    require(limits_.batchable && rows < limits_.maxBatch, "only an incomplete batch to wait");
    require(limits_.maxDelay > 0, "no wait without maxDelay");
    require(waitUntil > now(), "a wait that ends later");
    require(waitUntil <= known_[waiting_.front()].arrived + limits_.maxDelay,
            "no wait beyond maxDelay");
  }

  void checkBatch(const infer::Requests& batch) {
    const auto candidates = sameShape(known_[batch.front()->id].width);
    const bool sharing = measured_ && measured_->idleLanes > 0;
    std::int64_t rows = 0;
    require(batch.size() <= candidates.size(), "no other shape in a batch");
    for (std::size_t i = 0; i < std::min(batch.size(), candidates.size()); ++i) {
      require(batch[i]->id == candidates[i], "the oldest of a shape, in their order");
      rows += batch[i]->rows;
      const bool whole = batch[i]->rows == rowsLeft(candidates[i]);
      require(whole || (i + 1 == batch.size() && rowsLeft(candidates[i]) > limits_.maxBatch),
              "only the last one in parts, and only where it is too large");
      require(whole || sharing || rows == limits_.maxBatch, "a part that fills its batch");
    }
    require(rows <= limits_.maxBatch || !limits_.batchable, "a batch within maxBatch");
    require(batch.size() == 1 || limits_.batchable, "one at a time without a batch axis");
    if (isTriton()) {
      checkTritonBatch(batch, rows);
    } else if (limits_.buckets.empty() && !sharing && limits_.batchable &&
               batch.size() < candidates.size() && rows < limits_.maxBatch) {
      require(rows + rowsLeft(candidates[batch.size()]) > limits_.maxBatch,
              "all that fits in one batch");
    }
  }

  void checkTritonBatch(const infer::Requests& batch, std::int64_t rows) {
    require(batch.front()->id == waiting_.front() && batch.back()->id == waiting_[batch.size() - 1],
            "nobody passed over");
    require(std::ranges::binary_search(limits_.preferred, rows) ||
                rows > limits_.preferred.back() || batch.size() < waiting_.size() ||
                now() >= known_[waiting_.front()].arrived + limits_.maxDelay,
            "a batch of no preferred size only at its end or when it is late");
  }

  void checkAnswer(const infer::Reply& reply) {
    const Known& known = known_[reply.id];
    std::vector<float> expected = test::valuesOf(reply.id, known);
    std::ranges::for_each(expected, [](float& value) { value *= 2; });
    const infer::Tensor& answer = reply.result.value().front();
    require(answer.shape == infer::Shape{known.rows, known.width} &&
                test::valuesOf<float>(answer) == expected,
            "exactly its own rows as an answer");
    require(!known.waits, "an answer only when all of it has run");
  }

  void finish() {
    if (running_.empty()) {
      return;
    }
    busyUntil_ = running_.size() == lanes_ ? now() : busyUntil_;
    const auto at = running_.begin() + below(static_cast<std::int64_t>(running_.size()));
    const auto batch = std::move(*at);
    running_.erase(at);
    infer::runBatch(model_, *batch, clock_);
    infer::answerBatch(model_, *batch, clock_);
    for (const std::int64_t rows : std::exchange(doubler_->sizes, {})) {
      require(rows <= limits_.maxBatch || !limits_.batchable, "no run above maxBatch");
      require(limits_.buckets.empty() || std::ranges::binary_search(limits_.buckets, rows),
              "only runs of the size of a bucket");
    }
  }

  void cancel() {
    if (known_.empty()) {
      return;
    }
    const auto id = static_cast<std::uint64_t>(below(static_cast<std::int64_t>(known_.size())));
    require(model_.queue.cancel(this, {&id, 1}).empty() == known_[id].ended, "one end each");
    known_[id].ended = true;
    leaveQueue(id);
    for (const auto& batch : running_) {
      const bool wanted = std::ranges::any_of(
          batch->requests, [this](const auto& request) { return !known_[request->id].ended; });
      require(batch->stop.stop_requested() == !wanted, "a stop exactly when nobody waits");
    }
  }

  void close() {
    auto left = model_.queue.close();
    require(left.size() == waiting_.size(), "all that waits handed back");
    for (const auto& request : left) {
      leaveQueue(request->id);
    }
    infer::fail(model_, std::move(left), {ErrorCode::kClosed, "closed", {}});
    infer::Requests late;
    late.push_back(std::make_unique<infer::Request>());
    model_.queue.submit(late, now());
    require(late.size() == 1, "nothing taken after the close");
  }

  static bool isEmpty(const infer::Load& load) {
    return load.requests == 0 && load.rows == 0 && load.bytes == 0;
  }

  TimeNs now() const { return clock_.now(); }

  // Lets time go by; an idle lane wakes when it wanted to.
  void pass(TimeNs time) {
    const TimeNs until = now() + time;
    while (running_.size() < lanes_ && waitUntil_ <= until) {
      clock_.set(waitUntil_);
      pump();
    }
    clock_.set(until);
  }

  void drain() {
    pump();
    for (std::size_t rounds = 0; rounds < 100 && !(waiting_.empty() && running_.empty());
         ++rounds) {
      if (running_.empty()) {
        pass(waitUntil_ == kNever ? 0 : waitUntil_ - now());
      }
      finish();
      pump();
    }
    require(waiting_.empty() && running_.empty(), "an end of every wait");
    require(isEmpty(model_.queue.waiting()) && model_.queue.running() == 0,
            "empty counters at the end");
    require(std::ranges::all_of(known_, &Known::ended), "nothing lost");
  }

  test::Random random_;
  const std::size_t lanes_;
  std::optional<infer::Measured> measured_;
  const Limits limits_;
  test::TestClock clock_;
  const std::shared_ptr<test::Doubler> doubler_;
  infer::ServedModel model_;
  std::vector<Known> known_;  // by id
  std::vector<std::uint64_t> waiting_;
  std::vector<std::unique_ptr<infer::Taken>> running_;
  TimeNs waitUntil_ = kNever;  // when an idle lane wants to be woken
  TimeNs busyUntil_ = -1;      // the last time at which no lane was idle
  std::string broken_;
};

const check::Add kRandom("random sequences lose, repeat, reorder and overfill nothing", [] {
  for (std::uint32_t seed = 1; seed <= kSequences; ++seed) {
    const std::string broken = std::make_shared<Sequence>(seed)->play();
    if (!broken.empty()) {
      check::that(false, broken + ", in sequence " + std::to_string(seed));
      return;
    }
  }
});

}  // namespace
