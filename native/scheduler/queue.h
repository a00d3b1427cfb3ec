// SPDX-License-Identifier: Apache-2.0
// Bounded first-in-first-out queue of one model, and the batches taken from it that are still
// running. Threads: any; one mutex. No reply is delivered and no engine is called under it:
// functions return what the caller has to deliver after they return.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/scheduler/admission.h"
#include "native/scheduler/estimate.h"
#include "native/scheduler/line.h"
#include "native/scheduler/policy.h"

namespace infer {

using Requests = std::vector<std::unique_ptr<Request>>;

// A batch on its lane. The lane owns it; the queue keeps a pointer from take() to finish() so that
// a cancelled request can be answered, and its run stopped, while it runs.
struct Taken {
  Requests requests;
  std::stop_source stop;
  std::size_t abandoned = 0;  // guarded by the queue's mutex
};

class Queue {
 public:
  explicit Queue(const Limits& limits) : limits_(limits) {}

  // Takes what may join (see admission.h); what may not, or comes after close(), stays in
  // `requests` with its order kept and the reason as its result. `cost`: of a run, as far as known.
  void submit(Requests& requests, TimeNs now, const RunCost& cost = {});

  struct TakeResult {
    Requests expired;  // left the queue because their deadline passed: answer kDeadline
    TimeNs waitUntil =
        kNever;  // when a take can succeed if nothing arrives; kNever when something was taken
  };
  // thread: lane. Fills `batch` (empty on entry) with what the policy says; a filled one must go to
  // finish().
  // With `measured` and a steady cost, requests that could not be answered in time any more expire
  // as well, unless nobody else waits: a run is all that can correct a cost that was measured on a
  // bad day. Its gap is filled in here.
  TakeResult take(Taken& batch, TimeNs now, std::optional<Measured> measured = std::nullopt);

  // thread: lane. After the run: what is to be answered is left in batch.requests. Of a request
  // that was taken in parts that is the part that failed first, or the one that ended last.
  void finish(Taken& batch);

  // Removes requests of a channel, `ids` ascending, wherever they are. Returns those that were
  // waiting or running: the caller answers them. One look at each request, however many ids.
  std::vector<std::uint64_t> cancel(const ReplyChannel* channel,
                                    std::span<const std::uint64_t> ids);

  // Removes every request of a channel, whose environment has ended, and says how many there were.
  // Nothing is to be answered.
  std::size_t cancelAll(const ReplyChannel* channel);

  // No more requests; what waits is returned to be answered kClosed.
  Requests close();

  // thread: any, without the mutex: for lanes, which look here before they sleep, and counters.
  std::size_t depth() const { return depth_.load(); }
  std::size_t running() const { return running_.load(std::memory_order_relaxed); }
  Load waiting() const {
    return {.requests = depth(),
            .rows = waitingRows_.load(std::memory_order_relaxed),
            .bytes = waitingBytes_.load(std::memory_order_relaxed)};
  }
  // Deadline of the oldest request, which leads the next batch; kNever when nothing waits.
  TimeNs due() const { return due_.load(std::memory_order_relaxed); }
  const Limits& limits() const { return limits_; }

  // Why nobody need even try, while isFull() of what waits and of `beside`, which is not in the
  // queue yet.
  std::optional<Error> full(const Load& beside);

 private:
  std::optional<Error> refuse(const Request& request, TimeNs now, const RunCost& cost) const;
  void learnGap(std::int64_t rows, TimeNs now);
  // Both lists describe the same requests; removal keeps them aligned.
  void removeAt(std::span<const std::size_t> positions, Requests& out);
  // `reach`: when a run that begins now would end.
  void expire(TimeNs now, TimeNs reach, Requests& out);
  void settle();

  // What goes before its answer would be there, to be dealt with after unlocking.
  struct Leaving {
    std::vector<std::uint64_t> ids;      // each once
    Requests requests;                   // that waited
    std::vector<std::stop_source> runs;  // that nobody waits for any more
  };
  using Leaves = std::function<bool(const Request&)>;
  std::vector<std::uint64_t> leave(const Leaves& leaves, std::size_t most);
  // With mutex_ held. At most `most` requests, those that waited and those that run.
  void remove(const Leaves& leaves, std::size_t most, Leaving& out);
  // With mutex_ held. What waits and what runs of the requests that `parts` are parts of.
  void removeRest(const Requests& parts, Leaving& out);
  void takeInto(Taken& batch, const Decision& decision);

  const Limits limits_;
  std::mutex mutex_;
  Line<std::unique_ptr<Request>> requests_;  // guarded by mutex_, oldest first
  Line<QueuedItem> items_;                   // guarded by mutex_, what the policy sees of requests_
  Load load_;                                // guarded by mutex_, sums over requests_
  DrainRate drain_;                          // guarded by mutex_
  std::vector<Taken*> taken_;                // guarded by mutex_
  TimeNs nextDeadline_ = kNever;             // guarded by mutex_; no item is due before it
  TimeNs lastArrival_ = kNever;              // guarded by mutex_
  double gap_ = 0;       // guarded by mutex_; mean time between rows, 0: not known yet
  bool closed_ = false;  // guarded by mutex_
  std::atomic<std::size_t> depth_{0};         // sequentially consistent: see Lane::idle_
  std::atomic<std::size_t> running_{0};       // relaxed: only counted
  std::atomic<std::int64_t> waitingRows_{0};  // relaxed: only looked at
  std::atomic<std::size_t> waitingBytes_{0};  // relaxed: only looked at
  std::atomic<TimeNs> due_{kNever};           // relaxed: decides an order, nothing else
};

}  // namespace infer
