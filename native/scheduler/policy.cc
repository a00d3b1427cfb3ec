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
#include "native/scheduler/buckets.h"
#include "native/scheduler/estimate.h"

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

// Rows that one lane should take at most where `waiting` rows wait: fewer than these where idle
// lanes are to have a share of them.
std::int64_t fairShare(std::int64_t waiting, const Limits& limits, const Measured& measured) {
  if (!measured.cost.known) {
    return limits.maxBatch;
  }
  const std::int64_t most = std::min(waiting, limits.maxBatch);
  const auto lanes = static_cast<std::int64_t>(measured.idleLanes) + 1;
  const std::int64_t share =
      std::min(paddedRows(limits.buckets, (waiting + lanes - 1) / lanes), most);
  const auto timeOf = [&](std::int64_t rows) {
    return static_cast<double>(measured.cost.of(paddedRows(limits.buckets, rows)));
  };
  return share < most && timeOf(share) <= kSharingPays * timeOf(most) ? share : limits.maxBatch;
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
  const std::int64_t most = sharing
                                ? fairShare(rowsLike(items.subspan(first), head), limits, *measured)
                                : limits.maxBatch;
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

// Until when `batch` should wait for one more row at `now`; `now` or earlier: not at all. Each of
// its rows waits for the expected gap. The newcomer would otherwise wait for the whole run, unless
// another lane is idle. A stream that is silent for twice its usual gap has paused.
TimeNs worthWaitingUntil(const Gathered& batch, const Limits& limits, TimeNs now,
                         const std::optional<Measured>& measured) {
  if (!measured || limits.mode == BatchMode::kFixed) {
    return kNever;
  }
  constexpr TimeNs kLongGap = TimeNs{3600} * 1'000'000'000;
  const RunCost& cost = measured->cost;
  const TimeNs gap = measured->gap;
  const TimeNs run = cost.of(paddedRows(limits.buckets, batch.rows));
  if (!cost.known || measured->idleLanes > 0 || gap > kLongGap ||
      static_cast<double>(batch.rows) * static_cast<double>(gap) >= static_cast<double>(run)) {
    return now;
  }
  return batch.last + 2 * gap;
}

// Two runs instead of a padded one have to take this share of its time: what is known is an
// estimate.
constexpr double kSplittingPays = 0.9;

// Cuts `batch` to those requests that fill a smaller bucket where that saves time.
void trim(Gathered& batch, std::span<const QueuedItem> items, const Limits& limits,
          const std::optional<Measured>& measured) {
  const Buckets buckets = limits.buckets;
  if (!measured || !measured->cost.known || paddedRows(buckets, batch.rows) == batch.rows ||
      batch.decision.part > 0) {
    return;
  }
  const RunCost& cost = measured->cost;
  std::vector<std::size_t>& take = batch.decision.take;
  double best = kSplittingPays * static_cast<double>(cost.of(paddedRows(buckets, batch.rows)));
  std::size_t kept = take.size();
  std::int64_t rows = 0;
  for (std::size_t count = 1; count < take.size(); ++count) {
    rows += items[take[count - 1]].rows;
    const std::int64_t bucket = paddedRows(buckets, rows);
    if (bucket == paddedRows(buckets, rows + items[take[count]].rows)) {
      continue;  // one more fits
    }
    const double time =
        static_cast<double>(cost.of(bucket)) + costOfRuns(buckets, batch.rows - rows, cost);
    if (time <= best) {
      best = time;
      kept = count;
    }
  }
  take.resize(kept);
}

// The same with a time in waitUntil where it had better wait for more.
Decision decideFor(std::span<const QueuedItem> items, std::size_t first, const Limits& limits,
                   TimeNs now, const std::optional<Measured>& measured) {
  std::optional<Measured> known = measured;
  if (known && limits.mode == BatchMode::kFixed && items[first].arrived + limits.maxDelay > now) {
    known->idleLanes = 0;  // whoever waits in any case does not need them yet
  }
  Gathered batch = gather(items, first, limits, known);
  if (limits.maxDelay > 0 && !batch.full && batch.start > now) {
    const TimeNs worth = worthWaitingUntil(batch, limits, now, measured);
    if (const TimeNs start = std::min(batch.start, worth); start > now) {
      batch.decision.waitUntil = start;
      return std::move(batch.decision);
    }
  }
  if (!limits.buckets.empty()) {
    trim(batch, items, limits, measured);
  }
  return std::move(batch.decision);
}

// Where more shapes than these wait, the oldest one leaves: it is unlikely to be joined, and each
// costs a look at all others.
constexpr std::size_t kMostShapes = 16;

}  // namespace

Decision decide(std::span<const QueuedItem> items, const Limits& limits, TimeNs now,
                const std::optional<Measured>& measured) {
  if (items.empty()) {
    return {};
  }
  if (!limits.batchable) {
    return {.take = {0}, .part = 0, .waitUntil = kNever};
  }
  if (limits.mode == BatchMode::kTriton) {
    return decideTriton(items, limits, now);
  }
  Decision decision = decideFor(items, 0, limits, now, measured);
  if (decision.waitUntil == kNever) {
    return decision;
  }
  // The oldest waits for more of its shape: meanwhile the lane is there for others.
  TimeNs wake = kNever;
  const Decision oldest = decision;
  std::vector<bool> waits(items.size());
  std::size_t shapes = 0;
  for (std::size_t first = 0; first < items.size();) {
    if (++shapes > kMostShapes) {
      return {.take = oldest.take, .part = oldest.part, .waitUntil = kNever};
    }
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
