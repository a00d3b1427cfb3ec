// SPDX-License-Identifier: Apache-2.0
// The rules of admission.h.
#include "native/scheduler/admission.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/scheduler/buckets.h"
#include "native/scheduler/policy.h"

namespace infer {
namespace {

constexpr double kMemory = 0.9;  // weight of the past per departure: about the last ten count
constexpr double kOutlier = 4;   // times the usual that one departure may count for
constexpr double kCentury = 3.2e18;

bool wouldExceed(std::size_t waiting, std::size_t newcomer, std::size_t most) {
  return waiting > most || newcomer > most - waiting;
}

std::string bound(std::size_t most, const char* unit, const char* option) {
  return "at most " + std::to_string(most) + ' ' + unit + " (" + option + ")";
}

Error full(const Load& waiting, const std::string& most, const Pace& pace) {
  return {ErrorCode::kQueueFull,
          "the queue is full: " + std::to_string(waiting.requests) + " requests of " +
              std::to_string(waiting.rows) + " rows and " + std::to_string(waiting.bytes) +
              " bytes wait, expected " + most,
          {},
          pace.drain(waiting.rows)};
}

// The limit that a load of this size would break, in words; empty when none.
std::string broken(const Load& waiting, const Load& newcomer, const Limits& limits) {
  if (wouldExceed(waiting.requests, newcomer.requests, limits.maxQueue)) {
    return bound(limits.maxQueue, "requests", "batching.maxQueue");
  }
  if (wouldExceed(static_cast<std::size_t>(waiting.rows), static_cast<std::size_t>(newcomer.rows),
                  static_cast<std::size_t>(limits.maxQueueRows))) {
    return bound(static_cast<std::size_t>(limits.maxQueueRows), "rows", "batching.maxQueueRows");
  }
  if (wouldExceed(waiting.bytes, newcomer.bytes, limits.maxQueueBytes)) {
    return bound(limits.maxQueueBytes, "bytes", "batching.maxQueueBytes");
  }
  return {};
}

constexpr Load kLeast{.requests = 1, .rows = 1, .bytes = 1};

}  // namespace

Load& Load::operator+=(const Load& more) {
  requests += more.requests;
  rows += more.rows;
  bytes += more.bytes;
  return *this;
}

Load& Load::operator-=(const Load& gone) {
  requests -= gone.requests;
  rows -= gone.rows;
  bytes -= gone.bytes;
  return *this;
}

Load loadOf(const Request& request) {
  Load load{.requests = 1, .rows = request.rows, .bytes = 0};
  for (const Tensor& input : request.inputs) {
    load.bytes += input.bytes.size();
    for (const std::string& text : input.strings) {
      load.bytes += sizeof(std::string) + text.size();
    }
  }
  return load;
}

void DrainRate::took(std::int64_t rows, TimeNs now, bool more) {
  if (since_ != kNever && rows > 0) {
    const auto left = static_cast<double>(rows);
    auto time = static_cast<double>(std::max<TimeNs>(now - since_, 0));
    if (time_ > 0) {
      time = std::min(time, kOutlier * perRow() * left);
    }
    time_ = time_ * kMemory + time;
    rows_ = rows_ * kMemory + left;
  }
  since_ = more ? now : kNever;
}

TimeNs Pace::drain(std::int64_t rows) const {
  return static_cast<TimeNs>(std::min(perRow * static_cast<double>(rows), kCentury));
}

TimeNs Pace::answer(std::int64_t rows, const Limits& limits) const {
  if (perRow <= 0 || !cost.known || !cost.steady) {
    return 0;
  }
  return drain(rows) + cost.of(paddedRows(limits.buckets, std::min(rows + 1, limits.maxBatch)));
}

bool isFull(const Load& waiting, const Limits& limits) {
  return waiting.requests > 0 && !broken(waiting, kLeast, limits).empty();
}

Error fullQueue(const Load& waiting, const Limits& limits, const Pace& pace) {
  return full(waiting, broken(waiting, kLeast, limits), pace);
}

std::optional<Error> refusal(const Load& waiting, const Load& newcomer, const Limits& limits,
                             const Pace& pace, TimeNs left) {
  if (waiting.requests == 0) {
    return std::nullopt;
  }
  if (const std::string most = broken(waiting, newcomer, limits); !most.empty()) {
    return full(waiting, most, pace);
  }
  const TimeNs answer = pace.answer(waiting.rows, limits);
  if (answer <= left) {
    return std::nullopt;
  }
  return Error{ErrorCode::kDeadline,
               "the answer is expected in " + std::to_string(answer / kMillisecond) +
                   " ms, after the deadline in " +
                   std::to_string(std::max<TimeNs>(left, 0) / kMillisecond) +
                   " ms: " + std::to_string(waiting.rows) + " rows wait before it",
               "predicted", pace.drain(waiting.rows)};
}

}  // namespace infer
