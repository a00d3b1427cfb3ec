// SPDX-License-Identifier: Apache-2.0
// The rules of policy.h.
#include "native/scheduler/policy.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "native/base/clock.h"

namespace infer {
namespace {

// Latest moment at which a batch with this deadline still has half of the time left that a full run
// does not need.
TimeNs latestStart(const QueuedItem& item, TimeNs fullRun) {
  return item.deadline == kNever
             ? kNever
             : item.arrived + std::max<TimeNs>(item.deadline - item.arrived - fullRun, 0) / 2;
}

// Two lanes with half the rows each are done in this share of one lane's time, or sharing does not
// pay.
constexpr double kSharingPays = 0.75;

// Rows that one lane should take of `waiting` rows.
std::int64_t fairShare(std::int64_t waiting, const Limits& limits,
                       const std::optional<Measured>& measured) {
  const std::int64_t most = std::min(waiting, limits.maxBatch);
  if (!measured || measured->idleLanes == 0 || !measured->cost.known) {
    return most;
  }
  const auto lanes = static_cast<std::int64_t>(measured->idleLanes) + 1;
  const std::int64_t share = std::min((waiting + lanes - 1) / lanes, most);
  const auto shared = static_cast<double>(measured->cost.of(share));
  return shared <= kSharingPays * static_cast<double>(measured->cost.of(most)) ? share : most;
}

// Until when `rows` rows, the youngest of which arrived at `last`, should wait for one more at
// `now`; `now` or earlier: not at all. Each of the rows waits for the expected gap. The newcomer
// would otherwise wait for the whole run. A stream that is silent for twice its usual gap has
// paused.
TimeNs worthWaitingUntil(std::int64_t rows, TimeNs last, TimeNs now,
                         const std::optional<Measured>& measured) {
  if (!measured) {
    return kNever;
  }
  constexpr TimeNs kLongGap = TimeNs{3600} * 1'000'000'000;
  const RunCost& cost = measured->cost;
  const TimeNs gap = measured->gap;
  if (!cost.known || gap > kLongGap ||
      static_cast<double>(rows) * static_cast<double>(gap) >= static_cast<double>(cost.of(rows))) {
    return now;
  }
  return last + 2 * gap;
}

// Rows of the items that could share a batch with `head`.
std::int64_t rowsLike(std::span<const QueuedItem> items, const QueuedItem& head) {
  std::int64_t rows = 0;
  for (const QueuedItem& item : items) {
    rows += std::ranges::equal(item.tail, head.tail) ? item.rows : 0;
  }
  return rows;
}

// The batch that one item leads, as far as it can be filled now.
struct Gathered {
  Decision decision;
  std::int64_t rows = 0;
  bool full = false;      // nothing that could come would join
  TimeNs start = kNever;  // what is in it should not wait beyond
  TimeNs last = 0;        // when its youngest arrived
};

Gathered gather(std::span<const QueuedItem> items, std::size_t first, const Limits& limits,
                const std::optional<Measured>& measured) {
  const QueuedItem& head = items[first];
  const bool sharing = measured && measured->idleLanes > 0;
  const std::int64_t most =
      sharing ? fairShare(rowsLike(items.subspan(first), head), limits, measured) : limits.maxBatch;
  const TimeNs fullRun =
      measured && measured->cost.known ? measured->cost.of(limits.maxBatch) : TimeNs{0};
  Gathered batch{.decision = {.take = {first}, .part = head.rows > limits.maxBatch ? most : 0},
                 .rows = head.rows,
                 .full = head.rows >= most,
                 .start = std::min(head.arrived + limits.maxDelay, latestStart(head, fullRun)),
                 .last = head.arrived};
  for (std::size_t at = first + 1; at < items.size() && !batch.full; ++at) {
    const QueuedItem& item = items[at];
    if (!std::ranges::equal(item.tail, head.tail)) {
      continue;
    }
    batch.full = batch.rows + item.rows >= most;
    if (batch.rows + item.rows > most) {
      if (item.rows > limits.maxBatch) {
        batch.decision.take.push_back(at);
        batch.decision.part = most - batch.rows;
      }
      break;
    }
    batch.rows += item.rows;
    batch.start = std::min(batch.start, latestStart(item, fullRun));
    batch.last = item.arrived;
    batch.decision.take.push_back(at);
  }
  return batch;
}

// The same with a time in waitUntil where it had better wait for more.
Decision decideFor(std::span<const QueuedItem> items, std::size_t first, const Limits& limits,
                   TimeNs now, const std::optional<Measured>& measured) {
  Gathered batch = gather(items, first, limits, measured);
  if (limits.maxDelay == 0 || batch.full || batch.start <= now) {
    return std::move(batch.decision);
  }
  const TimeNs worth =
      worthWaitingUntil(batch.rows, batch.last, now, limits.alwaysDelay ? std::nullopt : measured);
  if (const TimeNs start = std::min(batch.start, worth); start > now) {
    batch.decision.waitUntil = start;
  }
  return std::move(batch.decision);
}

}  // namespace

Decision decide(std::span<const QueuedItem> items, const Limits& limits, TimeNs now,
                const std::optional<Measured>& measured) {
  if (items.empty()) {
    return {};
  }
  if (!limits.batchable) {
    return {.take = {0}, .part = 0, .waitUntil = kNever};
  }
  Decision decision = decideFor(items, 0, limits, now, measured);
  if (decision.waitUntil == kNever) {
    return decision;
  }
  // The oldest waits for more of its shape: meanwhile the lane is there for others.
  TimeNs wake = kNever;
  std::vector<bool> waits(items.size());
  for (std::size_t first = 0; first < items.size();) {
    for (const std::size_t at : decision.take) {
      waits[at] = true;
    }
    wake = std::min(wake, decision.waitUntil);
    while (first < items.size() && waits[first]) {
      ++first;
    }
    if (first < items.size()) {
      decision = decideFor(items, first, limits, now, measured);
      if (decision.waitUntil == kNever) {
        return decision;
      }
    }
  }
  return {.take = {}, .part = 0, .waitUntil = wake};
}

}  // namespace infer
