// SPDX-License-Identifier: Apache-2.0
// The rules of policy.h.
#include "native/scheduler/policy.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
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

}  // namespace

Decision decide(std::span<const QueuedItem> items, const Limits& limits, TimeNs now) {
  Decision decision;
  if (items.empty()) {
    return decision;
  }
  decision.take.push_back(0);
  if (!limits.batchable) {
    return decision;
  }
  const QueuedItem& head = items.front();
  std::int64_t rows = head.rows;
  TimeNs start =
      limits.maxDelay > 0 ? std::min(head.arrived + limits.maxDelay, latestStart(head)) : now;
  bool full = rows >= limits.maxBatch;
  for (std::size_t at = 1; at < items.size() && !full; ++at) {
    const QueuedItem& item = items[at];
    if (!std::ranges::equal(item.tail, head.tail)) {
      continue;
    }
    if (rows + item.rows > limits.maxBatch) {
      full = true;
      break;
    }
    rows += item.rows;
    start = std::min(start, latestStart(item));
    decision.take.push_back(at);
    full = rows >= limits.maxBatch;
  }
  if (!full && start > now) {
    decision.take.clear();
    decision.waitUntil = start;
  }
  return decision;
}

}  // namespace infer
