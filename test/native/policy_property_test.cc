// SPDX-License-Identifier: Apache-2.0
// What must hold for the queue and its policy in any sequence of arrivals, takes, cancellations and
// passing time: random ones, the same every time, on a clock of the test's own.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "native/base/clock.h"
#include "native/base/request.h"
#include "native/scheduler/policy.h"
#include "native/scheduler/queue.h"
#include "test/native/check.h"

namespace {

using infer::kNever;
using infer::TimeNs;

constexpr std::uint32_t kSequences = 100'000;

enum class State : std::uint8_t { kWaiting, kRunning, kEnded };

struct Known {
  std::int64_t rows = 0;
  std::int64_t tail = 0;
  TimeNs arrived = 0;
  TimeNs deadline = kNever;
  State state = State::kWaiting;
};

class Sequence {
 public:
  explicit Sequence(std::uint32_t seed)
      : random_(seed),
        measured_(measure()),
        limits_{.batchable = below(8) != 0,
                .maxBatch = 1 + below(8),
                .maxDelay = below(2) * below(50),
                .alwaysDelay = below(2) == 0,
                .maxQueue = static_cast<std::size_t>(1 + below(12))},
        queue_(limits_) {}

  // The first thing that did not hold, or "".
  std::string play() {
    for (std::uint32_t steps = 5 + below(25); steps > 0; --steps) {
      step();
    }
    if (below(4) == 0) {
      close();
    }
    drain();
    return broken_;
  }

 private:
  std::int64_t below(std::uint32_t limit) { return static_cast<std::int64_t>(random_() % limit); }

  std::optional<infer::Measured> measure() {
    if (below(2) == 0) {
      return std::nullopt;
    }
    return infer::Measured{.cost = {.known = below(4) != 0,
                                    .steady = below(2) == 0,
                                    .base = static_cast<double>(below(40)),
                                    .perRow = static_cast<double>(below(10))},
                           .gap = kNever,  // the queue knows it
                           .idleLanes = static_cast<std::size_t>(below(3))};
  }

  // When the run that counts for early expiry would end if it began now, as far as it is known.
  TimeNs reach() const {
    if (!measured_ || !measured_->cost.known || !measured_->cost.steady) {
      return now_;
    }
    std::int64_t rows = 0;
    for (const auto id : waiting_) {
      rows += known_[id].rows;
    }
    return now_ + measured_->cost.of(rows > limits_.maxBatch ? limits_.maxBatch : 1);
  }

  void require(bool holds, const char* what) {
    if (!holds && broken_.empty()) {
      broken_ = what;
    }
  }

  Known& known(std::uint64_t id) { return known_[id]; }

  void step() {
    switch (below(8)) {
      case 0:
      case 1:
      case 2:
        submit();
        break;
      case 3:
        now_ += below(30);
        break;
      case 4:
      case 5:
        take();
        break;
      case 6:
        finish();
        break;
      default:
        cancel();
    }
  }

  void submit() {
    infer::Requests requests;
    const std::size_t first = known_.size();
    for (std::int64_t count = 1 + below(3); count > 0; --count) {
      auto request = std::make_unique<infer::Request>();
      request->id = known_.size();
      request->rows = below(static_cast<std::uint32_t>(limits_.maxBatch) + 3);
      request->tail = {below(3)};
      request->deadline = below(4) == 0 ? now_ + 1 + below(60) : kNever;
      known_.push_back({.rows = request->rows,
                        .tail = request->tail[0],
                        .arrived = now_,
                        .deadline = request->deadline});
      requests.push_back(std::move(request));
    }
    const std::size_t room = limits_.maxQueue - std::min(limits_.maxQueue, waiting_.size());
    const std::size_t fits = std::min(room, requests.size());
    const std::size_t offered = requests.size();
    queue_.submit(requests, now_);
    require(requests.size() == offered - fits, "as many accepted as fit");
    for (std::size_t i = 0; i < offered; ++i) {
      if (i < fits) {
        waiting_.push_back(first + i);
      } else {
        known(first + i).state = State::kEnded;
        require(requests[i - fits]->id == first + i, "the refused ones in their order");
      }
    }
  }

  void leaveQueue(std::uint64_t id, State next) {
    require(known(id).state == State::kWaiting, "nothing taken that did not wait");
    known(id).state = next;
    std::erase(waiting_, id);
  }

  TimeNs take() {
    auto batch = std::make_unique<infer::Taken>();
    const TimeNs reached = reach();
    const auto result = queue_.take(*batch, now_, measured_);
    for (const auto& request : result.expired) {
      require(known(request->id).deadline <= reached, "nothing expired too early");
      leaveQueue(request->id, State::kEnded);
    }
    require(std::ranges::all_of(waiting_, [this](auto id) { return known(id).deadline > now_; }),
            "everything late to be expired");
    if (batch->requests.empty()) {
      checkWait(result.waitUntil);
      return result.waitUntil;
    }
    require(result.waitUntil == kNever, "no time to wait for beside a batch");
    checkBatch(batch->requests);
    for (const auto& request : batch->requests) {
      leaveQueue(request->id, State::kRunning);
    }
    running_.push_back(std::move(batch));
    return now_;
  }

  // Requests of the head's shape, oldest first.
  std::vector<std::uint64_t> sameShape() {
    std::vector<std::uint64_t> ids;
    std::ranges::copy_if(waiting_, std::back_inserter(ids), [this](auto id) {
      return known(id).tail == known(waiting_.front()).tail;
    });
    return ids;
  }

  void checkWait(TimeNs waitUntil) {
    if (waiting_.empty()) {
      require(waitUntil == kNever, "nothing to wait for in an empty queue");
      return;
    }
    std::int64_t rows = 0;
    for (const auto id : sameShape()) {
      rows += known(id).rows;
    }
    require(limits_.batchable && rows < limits_.maxBatch, "only an incomplete batch to wait");
    require(limits_.maxDelay > 0, "no wait without maxDelay");
    require(waitUntil > now_, "a wait that ends later");
    require(waitUntil <= known(waiting_.front()).arrived + limits_.maxDelay,
            "no wait beyond maxDelay");
  }

  void checkBatch(const infer::Requests& batch) {
    const auto candidates = sameShape();
    std::int64_t rows = 0;
    require(batch.size() <= candidates.size(), "no other shape in a batch");
    for (std::size_t i = 0; i < std::min(batch.size(), candidates.size()); ++i) {
      require(batch[i]->id == candidates[i], "the oldest of the head's shape, in their order");
      rows += batch[i]->rows;
    }
    require(batch.size() == 1 || rows <= limits_.maxBatch, "a batch within maxBatch");
    require(batch.size() == 1 || limits_.batchable, "one at a time without a batch axis");
    const bool sharing = measured_ && measured_->idleLanes > 0;
    if (!sharing && limits_.batchable && batch.size() < candidates.size() &&
        rows < limits_.maxBatch) {
      require(rows + known(candidates[batch.size()]).rows > limits_.maxBatch,
              "all that fits in one batch");
    }
  }

  void finish() {
    if (running_.empty()) {
      return;
    }
    const auto at = running_.begin() + below(static_cast<std::uint32_t>(running_.size()));
    queue_.finish(**at);
    for (const auto& request : (*at)->requests) {
      require(known(request->id).state == State::kRunning, "one answer each");
      known(request->id).state = State::kEnded;
    }
    running_.erase(at);
  }

  void cancel() {
    if (known_.empty()) {
      return;
    }
    const auto id = static_cast<std::uint64_t>(below(static_cast<std::uint32_t>(known_.size())));
    const State before = known(id).state;
    require(!queue_.cancel(nullptr, {&id, 1}).empty() == (before != State::kEnded), "one end each");
    if (before == State::kWaiting) {
      leaveQueue(id, State::kEnded);
    }
    known(id).state = State::kEnded;
    for (const auto& batch : running_) {
      const bool wanted = std::ranges::any_of(batch->requests, [this](const auto& request) {
        return known(request->id).state == State::kRunning;
      });
      require(batch->stop.stop_requested() == !wanted, "a stop exactly when nobody waits");
    }
  }

  void close() {
    const auto left = queue_.close();
    require(left.size() == waiting_.size(), "all that waits handed back");
    for (const auto& request : left) {
      leaveQueue(request->id, State::kEnded);
    }
    infer::Requests late;
    late.push_back(std::make_unique<infer::Request>());
    queue_.submit(late, now_);
    require(late.size() == 1, "nothing taken after the close");
  }

  void drain() {
    for (std::size_t rounds = 3 * known_.size(); !waiting_.empty() && rounds > 0; --rounds) {
      now_ = std::max(now_, take());
    }
    require(waiting_.empty(), "an end of every wait");
    while (!running_.empty()) {
      finish();
    }
    require(queue_.depth() == 0 && queue_.running() == 0, "empty counters at the end");
    require(
        std::ranges::all_of(known_, [](const Known& one) { return one.state == State::kEnded; }),
        "nothing lost");
  }

  std::mt19937 random_;
  const std::optional<infer::Measured> measured_;
  const infer::Limits limits_;
  infer::Queue queue_;
  TimeNs now_ = 0;
  std::vector<Known> known_;  // by id
  std::vector<std::uint64_t> waiting_;
  std::vector<std::unique_ptr<infer::Taken>> running_;
  std::string broken_;
};

const check::Add kRandom("100000 random sequences lose, repeat, reorder and overfill nothing", [] {
  for (std::uint32_t seed = 1; seed <= kSequences; ++seed) {
    if (const std::string broken = Sequence(seed).play(); !broken.empty()) {
      check::that(false, broken + ", in sequence " + std::to_string(seed));
      return;
    }
  }
});

}  // namespace
