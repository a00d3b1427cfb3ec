// SPDX-License-Identifier: Apache-2.0
// The batch decision: a pure function of what waits, the limits and the time. No clock, no lock, no
// queue. Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "native/base/clock.h"
#include "native/scheduler/estimate.h"

namespace infer {

// When an incomplete batch leaves a lane that is free.
enum class BatchMode : std::uint8_t {
  kAdaptive,  // maxDelay is an upper bound, used while waiting pays
  kFixed,     // after maxDelay
  kTriton,    // as Triton's dynamic batcher has it: see decideTriton()
};

struct Limits {
  bool batchable = true;      // false: one request a run
  std::int64_t maxBatch = 1;  // rows of one run; a larger request is run in parts
  TimeNs maxDelay = 0;        // upper bound of waiting for more rows
  BatchMode mode = BatchMode::kAdaptive;
  // What may wait; an empty queue takes any one request.
  std::size_t maxQueue = 1;  // requests
  std::int64_t maxQueueRows = std::numeric_limits<std::int64_t>::max();
  std::size_t maxQueueBytes = std::numeric_limits<std::size_t>::max();  // of inputs
  // Rows that a run may have, ascending, the last one maxBatch; empty: any. What is missing is
  // padded.
  std::vector<std::int64_t> buckets = {};
  // For kTriton: rows that are worth a run without waiting for more, ascending, not empty.
  std::vector<std::int64_t> preferred = {};
};

// What the policy may know of a waiting request.
struct QueuedItem {
  std::int64_t rows = 1;
  std::span<const std::int64_t> tail;  // requests with equal tails can share a batch; borrowed
  TimeNs arrived = 0;
  TimeNs deadline = kNever;
};

struct Decision {
  std::vector<std::size_t> take;  // positions, ascending; empty: take nothing now
  std::int64_t part = 0;          // rows of the last one that are taken; 0: all of it
  TimeNs waitUntil = kNever;  // when to ask again if nothing arrives; kNever: only an arrival helps
};

// What has been measured of a model. Without it a delay is waited out, and nobody shares.
struct Measured {
  RunCost cost;
  TimeNs gap = kNever;        // expected time from one arriving row to the next; kNever: unknown
  std::size_t idleLanes = 0;  // other lanes of the model that have nothing to do
  // Of a thread that has better things to do: nothing is taken unless all that waits is expected to
  // take less, and no lane is at work.
  TimeNs budget = kNever;
};

// What a free lane does with `items` (oldest first, none expired at `now`):
// - the oldest request leads the next batch, so nothing starves; while it waits for more rows, the
//   oldest of another tail does, and it does not wait while more than 16 tails do;
// - younger ones with the same tail join it in order until maxBatch rows are reached; the first
//   that does not fit ends the batch, so that order is kept among requests of one shape;
// - a request of more than maxBatch rows gives as many of them as fit and stays where it is with
//   the rest; no other request is divided;
// - a batch leaves an equal share to each idle lane where that makes all of it faster, which is so
//   when the time of a run lies in its rows rather than in its base;
// - where buckets leave it padded, a batch is cut to the rows of a smaller one if that and another
//   run for the rest are expected to take less time;
// - an incomplete batch waits for at most maxDelay from the arrival of its oldest request, not
//   beyond the half of what the earliest deadline in it leaves beside a full run, and only while
//   waiting pays: while the next row is expected to cost those that wait less than it saves by not
//   needing a run of its own, and no other lane is idle.
Decision decide(std::span<const QueuedItem> items, const Limits& limits, TimeNs now,
                const std::optional<Measured>& measured = std::nullopt);

// The decision of kTriton, where nothing is measured. The batch are the oldest requests up to the
// first one of another tail or of too many rows; none is divided and none is passed over.
// - up to the largest preferred size that they reach exactly, at once; where a request would lead
//   beyond all preferred sizes before one was reached, those before it, at once;
// - else all of them when no more can join, when they have the rows of the largest preferred size,
//   or when the oldest has waited for maxDelay, after which preferred sizes do not count;
// - else they wait for that.
Decision decideTriton(std::span<const QueuedItem> items, const Limits& limits, TimeNs now);

}  // namespace infer
