// SPDX-License-Identifier: Apache-2.0
// The queue of one model.
#include "native/scheduler/queue.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/scheduler/admission.h"
#include "native/scheduler/buckets.h"
#include "native/scheduler/estimate.h"
#include "native/scheduler/parts.h"
#include "native/scheduler/policy.h"

namespace infer {
namespace {

// Runs the callbacks of whoever listens, so never under a lock.
void stopAll(std::vector<std::stop_source>& runs) {
  for (std::stop_source& run : runs) {
    run.request_stop();
  }
}

}  // namespace

void Queue::submit(Requests& requests, TimeNs now, const RunCost& cost) {
  Requests refused;  // its former memory goes after the lock is released
  const std::lock_guard lock(mutex_);
  std::int64_t arrived = 0;
  for (auto& request : requests) {
    if (auto reason = refuse(*request, now, cost)) {
      request->result = std::move(*reason);
      refused.push_back(std::move(request));
      continue;
    }
    request->arrived = now;
    load_ += loadOf(*request);
    arrived += request->rows;
    items_.push_back({request->rows, request->tail, now, request->deadline});
    nextDeadline_ = std::min(nextDeadline_, request->deadline);
    requests_.push_back(std::move(request));
  }
  requests.swap(refused);
  learnGap(arrived, now);
  settle();
}

std::optional<Error> Queue::refuse(const Request& request, TimeNs now, const RunCost& cost) const {
  if (closed_) {
    return Error{ErrorCode::kClosed, "the model is closed", {}};
  }
  if (load_.requests == 0) {
    return std::nullopt;
  }
  const Pace pace{.cost = cost, .perRow = drain_.perRow()};
  return refusal(load_, loadOf(request), limits_, pace,
                 request.deadline == kNever ? kNever : request.deadline - now);
}

std::optional<Error> Queue::full(const Load& beside) {
  const std::lock_guard lock(mutex_);
  Load all = load_;
  all += beside;
  if (!isFull(all, limits_)) {
    return std::nullopt;
  }
  return fullQueue(all, limits_, {.cost = {}, .perRow = drain_.perRow()});
}

Queue::TakeResult Queue::take(Taken& batch, TimeNs now, std::optional<Measured> measured) {
  TakeResult result;
  Leaving leaving;
  {
    const std::lock_guard lock(mutex_);
    if (measured && gap_ > 0) {
      measured->gap = static_cast<TimeNs>(gap_);
    }
    if (measured && measured->budget != kNever &&
        (!taken_.empty() ||
         measured->cost.atMost(paddedRows(limits_.buckets, load_.rows)) >= measured->budget)) {
      return result;
    }
    if (measured && measured->cost.known && measured->cost.steady) {
      // While more wait than a run takes, late ones make room for those that can still be answered
      // after a full run; otherwise even a short run is worth trying.
      const std::int64_t rows = load_.rows > limits_.maxBatch ? limits_.maxBatch : 1;
      expire(now, now + measured->cost.of(paddedRows(limits_.buckets, rows)), result.expired);
    } else {
      expire(now, now, result.expired);
    }
    removeRest(result.expired, leaving);
    const Decision decision = decide(items_, limits_, now, measured);
    if (decision.take.empty()) {
      result.waitUntil = std::min(decision.waitUntil, nextDeadline_);
    } else {
      const std::int64_t before = load_.rows;
      takeInto(batch, decision);
      drain_.took(before - load_.rows, now, !requests_.empty());
    }
    settle();
  }
  stopAll(leaving.runs);
  return result;
}

void Queue::takeInto(Taken& batch, const Decision& decision) {
  std::span<const std::size_t> all = decision.take;
  if (decision.part > 0) {
    all = all.first(all.size() - 1);
  }
  removeAt(all, batch.requests);
  for (const auto& request : batch.requests) {
    if (request->whole) {
      becomeLastPart(*request);
    }
  }
  if (decision.part > 0) {
    const std::size_t at = decision.take.back() - all.size();
    batch.requests.push_back(cutPart(*requests_[at], decision.part));
    items_[at].rows -= decision.part;
    load_.rows -= decision.part;
  }
  taken_.push_back(&batch);
}

void Queue::finish(Taken& batch) {
  Leaving leaving;
  {
    const std::lock_guard lock(mutex_);
    std::erase(taken_, &batch);
    for (auto& request : batch.requests) {
      if (request->abandoned || (request->whole && request->result.ok() && !finishPart(*request))) {
        leaving.requests.push_back(std::move(request));
      }
    }
    std::erase(batch.requests, nullptr);
    // What is left of a request in parts has failed or is complete: then there is no rest.
    removeRest(batch.requests, leaving);
    settle();
  }
  stopAll(leaving.runs);
}

std::vector<std::uint64_t> Queue::cancel(const ReplyChannel* channel,
                                         std::span<const std::uint64_t> ids) {
  const auto isMeant = [channel, ids](const Request& request) {
    return request.channel.get() == channel && std::ranges::binary_search(ids, request.id);
  };
  return leave(isMeant, ids.size());
}

std::size_t Queue::cancelAll(const ReplyChannel* channel) {
  const auto isMeant = [channel](const Request& request) {
    return request.channel.get() == channel;
  };
  return leave(isMeant, SIZE_MAX).size();
}

std::vector<std::uint64_t> Queue::leave(const Leaves& leaves, std::size_t most) {
  Leaving leaving;
  {
    const std::lock_guard lock(mutex_);
    remove(leaves, most, leaving);
    settle();
  }
  stopAll(leaving.runs);
  return std::move(leaving.ids);
}

void Queue::remove(const Leaves& leaves, std::size_t most, Leaving& out) {
  std::vector<std::size_t> positions;
  bool inParts = false;  // one that left may have more parts that run
  for (std::size_t at = 0; at < requests_.size() && out.ids.size() < most; ++at) {
    if (leaves(*requests_[at])) {
      positions.push_back(at);
      out.ids.push_back(requests_[at]->id);
      inParts = inParts || requests_[at]->whole;
    }
  }
  removeAt(positions, out.requests);
  for (Taken* batch : taken_) {
    for (const auto& request : batch->requests) {
      if ((!inParts && out.ids.size() >= most) || request->abandoned || !leaves(*request)) {
        continue;
      }
      request->abandoned = true;
      if (++batch->abandoned == batch->requests.size()) {
        out.runs.push_back(batch->stop);
      }
      inParts = inParts || request->whole;
      if (!request->whole || std::ranges::find(out.ids, request->id) == out.ids.end()) {
        out.ids.push_back(request->id);
      }
    }
  }
}

void Queue::removeRest(const Requests& parts, Leaving& out) {
  for (const auto& part : parts) {
    if (part->whole) {
      remove([&part](const Request& other) { return other.whole == part->whole; }, SIZE_MAX, out);
    }
  }
}

Requests Queue::close() {
  Requests waiting;
  Leaving leaving;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    waiting.assign(std::make_move_iterator(requests_.begin()),
                   std::make_move_iterator(requests_.end()));
    requests_.clear();
    items_.clear();
    load_ = {};
    nextDeadline_ = kNever;
    removeRest(waiting, leaving);
    settle();
  }
  stopAll(leaving.runs);
  return waiting;
}

void Queue::removeAt(std::span<const std::size_t> positions, Requests& out) {
  if (positions.empty()) {
    return;
  }
  for (const std::size_t at : positions) {
    Load gone = loadOf(*requests_[at]);
    if (requests_[at]->whole) {  // its parts may have taken strings along
      gone.bytes = requests_[at]->whole->bytes;
    }
    load_ -= gone;
    out.push_back(std::move(requests_[at]));
  }
  requests_.erase(positions);
  items_.erase(positions);
  if (requests_.empty()) {
    nextDeadline_ = kNever;
  }
}

void Queue::expire(TimeNs now, TimeNs reach, Requests& out) {
  if (reach < nextDeadline_) {
    return;
  }
  std::vector<std::size_t> late;
  TimeNs next = kNever;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (items_[i].deadline <= reach) {
      late.push_back(i);
    } else {
      next = std::min(next, items_[i].deadline);
    }
  }
  if (!late.empty() && late.size() == items_.size()) {
    const auto longest =
        std::ranges::max_element(late, {}, [this](std::size_t at) { return items_[at].deadline; });
    if (items_[*longest].deadline > now) {
      next = items_[*longest].deadline;
      late.erase(longest);
    }
  }
  removeAt(late, out);
  nextDeadline_ = next;
}

// Mean over about the last eight arrivals, and never less than the silence up to this one.
void Queue::learnGap(std::int64_t rows, TimeNs now) {
  constexpr double kNewest = 0.125;
  if (rows <= 0) {
    return;
  }
  if (lastArrival_ != kNever) {
    const double gap = static_cast<double>(now - lastArrival_) / static_cast<double>(rows);
    gap_ = gap_ == 0 ? gap : gap_ + kNewest * (gap - gap_);
  }
  lastArrival_ = now;
}

void Queue::settle() {
  waitingRows_.store(load_.rows, std::memory_order_relaxed);
  waitingBytes_.store(load_.bytes, std::memory_order_relaxed);
  due_.store(items_.empty() ? kNever : items_[0].deadline, std::memory_order_relaxed);
  std::size_t running = 0;
  for (const Taken* batch : taken_) {
    running += batch->requests.size() - batch->abandoned;
  }
  running_.store(running, std::memory_order_relaxed);
  depth_.store(requests_.size());
}

}  // namespace infer
