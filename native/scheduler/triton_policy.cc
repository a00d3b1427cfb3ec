// SPDX-License-Identifier: Apache-2.0
// The batch decision as Triton's dynamic batcher makes it, for people who come from there.
// Threads: any; a pure function.
// @source triton-inference-server/core 73aad7c, src/dynamic_batch_scheduler.cc, GetDynamicBatch().
//         There a batch may be handed over before an instance is free, and grow; here a free lane
//         takes it at that moment, so nothing is ever under way that could grow.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

#include "native/base/clock.h"
#include "native/scheduler/policy.h"

namespace infer {

Decision decideTriton(std::span<const QueuedItem> items, const Limits& limits, TimeNs now) {
  if (items.empty()) {
    return {};
  }
  const std::int64_t largest = limits.preferred.back();
  std::int64_t rows = 0;  // of the requests before `pending`
  std::size_t pending = 0;
  std::size_t best = 0;  // requests up to the last preferred size, or before it was exceeded
  bool closed = false;   // the next request cannot join, so there is nothing to wait for
  while (pending < items.size() && !closed) {
    const QueuedItem& item = items[pending];
    if (pending > 0) {
      if (best == 0 && rows + item.rows > largest) {
        best = pending;
      }
      closed =
          rows + item.rows > limits.maxBatch || !std::ranges::equal(item.tail, items.front().tail);
    }
    if (!closed) {
      rows += item.rows;
      ++pending;
      best = std::ranges::binary_search(limits.preferred, rows) ? pending : best;
    }
  }
  const TimeNs age = now - items.front().arrived;
  const bool late = limits.maxDelay > 0 && age >= limits.maxDelay;
  Decision decision;
  if (best > 0 && !late) {
    decision.take.resize(best);
  } else if (closed || rows >= largest || late || limits.maxDelay == 0) {
    decision.take.resize(pending);
  } else {
    decision.waitUntil = items.front().arrived + limits.maxDelay;
  }
  std::iota(decision.take.begin(), decision.take.end(), std::size_t{0});
  return decision;
}

}  // namespace infer
