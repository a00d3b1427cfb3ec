// SPDX-License-Identifier: Apache-2.0
// The queue of one model.
#include "native/scheduler/queue.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
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
#include "native/scheduler/estimate.h"
#include "native/scheduler/policy.h"

namespace infer {

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

Error Queue::full() {
  const std::lock_guard lock(mutex_);
  return fullQueue(load_, limits_, {.cost = {}, .perRow = drain_.perRow()});
}

Queue::TakeResult Queue::take(Taken& batch, TimeNs now, std::optional<Measured> measured) {
  TakeResult result;
  const std::lock_guard lock(mutex_);
  if (measured && gap_ > 0) {
    measured->gap = static_cast<TimeNs>(gap_);
  }
  if (measured && measured->budget != kNever &&
      (!taken_.empty() || measured->cost.atMost(load_.rows) >= measured->budget)) {
    return result;
  }
  if (measured && measured->cost.known && measured->cost.steady) {
    // While more wait than a run takes, late ones make room for those that can still be answered
    // after a full run; otherwise even a short run is worth trying.
    const std::int64_t rows = load_.rows > limits_.maxBatch ? limits_.maxBatch : 1;
    expire(now, now + measured->cost.of(rows), result.expired);
  } else {
    expire(now, now, result.expired);
  }
  const Decision decision = decide(items_, limits_, now, measured);
  if (decision.take.empty()) {
    result.waitUntil = std::min(decision.waitUntil, nextDeadline_);
  } else {
    const std::int64_t before = load_.rows;
    removeAt(decision.take, batch.requests);
    drain_.took(before - load_.rows, now, !requests_.empty());
    taken_.push_back(&batch);
  }
  settle();
  return result;
}

void Queue::finish(Taken& batch) {
  Requests unwanted;  // destroyed after the lock is released
  const std::lock_guard lock(mutex_);
  std::erase(taken_, &batch);
  for (auto& request : batch.requests) {
    if (request->abandoned) {
      unwanted.push_back(std::move(request));
    }
  }
  std::erase(batch.requests, nullptr);
  settle();
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

// At most `most` requests; returns their ids.
std::vector<std::uint64_t> Queue::leave(const std::function<bool(const Request&)>& leaves,
                                        std::size_t most) {
  std::vector<std::uint64_t> left;
  std::vector<std::stop_source> toStop;
  Requests removed;  // destroyed after the lock is released
  {
    const std::lock_guard lock(mutex_);
    std::vector<std::size_t> positions;
    for (std::size_t at = 0; at < requests_.size() && left.size() < most; ++at) {
      if (leaves(*requests_[at])) {
        positions.push_back(at);
        left.push_back(requests_[at]->id);
      }
    }
    removeAt(positions, removed);
    for (Taken* batch : taken_) {
      for (const auto& request : batch->requests) {
        if (left.size() < most && !request->abandoned && leaves(*request)) {
          abandon(*batch, *request, toStop);
          left.push_back(request->id);
        }
      }
    }
    settle();
  }
  for (std::stop_source& stop : toStop) {
    stop.request_stop();
  }
  return left;
}

Requests Queue::close() {
  Requests waiting;
  const std::lock_guard lock(mutex_);
  closed_ = true;
  waiting.assign(std::make_move_iterator(requests_.begin()),
                 std::make_move_iterator(requests_.end()));
  requests_.clear();
  items_.clear();
  load_ = {};
  nextDeadline_ = kNever;
  settle();
  return waiting;
}

void Queue::removeAt(std::span<const std::size_t> positions, Requests& out) {
  if (positions.empty()) {
    return;
  }
  for (const std::size_t at : positions) {
    load_ -= loadOf(*requests_[at]);
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

void Queue::abandon(Taken& batch, Request& request, std::vector<std::stop_source>& toStop) {
  request.abandoned = true;
  ++batch.abandoned;
  if (batch.abandoned == batch.requests.size()) {
    toStop.push_back(batch.stop);
  }
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
