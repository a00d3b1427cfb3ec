// SPDX-License-Identifier: Apache-2.0
// The rules of policy.h.
#include "native/scheduler/policy.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "native/base/clock.h"

namespace infer {
namespace {

// Latest moment at which a batch with this deadline still has half of its remaining time for the
// run.
TimeNs latestStart(const QueuedItem& item) {
  return item.deadline == kNever
             ? kNever
             : item.arrived + std::max<TimeNs>(item.deadline - item.arrived, 0) / 2;
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

// Rows of the items that could share a batch with the oldest.
std::int64_t rowsLikeHead(std::span<const QueuedItem> items) {
  std::int64_t rows = 0;
  for (const QueuedItem& item : items) {
    rows += std::ranges::equal(item.tail, items.front().tail) ? item.rows : 0;
  }
  return rows;
}

}  // namespace

Decision decide(std::span<const QueuedItem> items, const Limits& limits, TimeNs now,
                const std::optional<Measured>& measured) {
  Decision decision;
  if (items.empty()) {
    return decision;
  }
  decision.take.push_back(0);
  if (!limits.batchable) {
    return decision;
  }
  const bool sharing = measured && measured->idleLanes > 0;
  const std::int64_t most =
      sharing ? fairShare(rowsLikeHead(items), limits, measured) : limits.maxBatch;
  const QueuedItem& head = items.front();
  std::int64_t rows = head.rows;
  TimeNs start =
      limits.maxDelay > 0 ? std::min(head.arrived + limits.maxDelay, latestStart(head)) : now;
  TimeNs last = head.arrived;
  bool full = rows >= most;
  for (std::size_t at = 1; at < items.size() && !full; ++at) {
    const QueuedItem& item = items[at];
    if (!std::ranges::equal(item.tail, head.tail)) {
      continue;
    }
    if (rows + item.rows > most) {
      full = true;
      break;
    }
    rows += item.rows;
    start = std::min(start, latestStart(item));
    last = item.arrived;
    decision.take.push_back(at);
    full = rows >= most;
  }
  if (!full && start > now) {
    start = std::min(
        start, worthWaitingUntil(rows, last, now, limits.alwaysDelay ? std::nullopt : measured));
  }
  if (!full && start > now) {
    decision.take.clear();
    decision.waitUntil = start;
  }
  return decision;
}

}  // namespace infer
