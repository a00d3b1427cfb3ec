// SPDX-License-Identifier: Apache-2.0
// The bounded queue: what it takes, what leaves it when, and which runs are stopped.
#include "native/scheduler/queue.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/scheduler/estimate.h"
#include "native/scheduler/policy.h"
#include "test/native/check.h"
#include "test/native/inbox.h"

namespace {

using infer::ErrorCode;
using infer::kNever;
using infer::Queue;
using infer::Requests;
using infer::Taken;
using infer::TimeNs;
using test::Inbox;

const infer::Limits kLimits = {.batchable = true, .maxBatch = 4, .maxDelay = 0, .maxQueue = 6};

Requests some(const std::shared_ptr<Inbox>& inbox, std::initializer_list<std::uint64_t> ids) {
  Requests requests;
  for (const std::uint64_t id : ids) {
    requests.push_back(test::makeRequest(inbox, id, {}));
  }
  return requests;
}

std::vector<std::uint64_t> idsOf(const Requests& requests) {
  std::vector<std::uint64_t> ids;
  ids.reserve(requests.size());
  for (const auto& request : requests) {
    ids.push_back(request->id);
  }
  return ids;
}

using Ids = std::vector<std::uint64_t>;

void accept(Queue& queue, Requests requests, TimeNs now = 0) {
  queue.submit(requests, now);
  check::that(requests.empty(), "room");
}

// A queue that holds requests 1 to `count` of one channel, given at time 0.
struct Filled {
  explicit Filled(std::uint64_t count, const infer::Limits& limits = kLimits) : queue(limits) {
    for (std::uint64_t id = 1; id <= count; ++id) {
      accept(queue, some(inbox, {id}));
    }
  }
  const std::shared_ptr<Inbox> inbox = std::make_shared<Inbox>();
  Queue queue;
};

void setDeadline(Filled& filled, std::uint64_t id, TimeNs deadline) {
  auto one = some(filled.inbox, {id});
  one.front()->deadline = deadline;
  accept(filled.queue, std::move(one));
}

const check::Add kPartly("what does not fit is handed back in its order", [] {
  Filled filled(4);
  auto more = some(filled.inbox, {5, 6, 7, 8});
  filled.queue.submit(more, 0);
  check::failed(more.back()->result, ErrorCode::kQueueFull, "6 requests of 6 rows");
  check::equal(idsOf(more), Ids{7, 8}, "7 and 8 handed back");
  check::equal(filled.queue.depth(), std::size_t{6}, "requests that wait");
});

const check::Add kBeside("a queue is full with what is about to join it", [] {
  infer::Limits limits = kLimits;
  limits.maxQueueBytes = 100;
  Filled filled(0, limits);
  check::that(!filled.queue.full({}), "room while nothing is there");
  check::that(!filled.queue.full({.requests = 1, .rows = 1, .bytes = 99}), "room for a byte");
  const auto full = filled.queue.full({.requests = 2, .rows = 2, .bytes = 100});
  check::that(full.has_value(), "full by what is beside it");
  check::equal(full ? full->message : "",
               "the queue is full: 2 requests of 2 rows and 100 bytes wait, expected at most 100 "
               "bytes (batching.maxQueueBytes)",
               "a reason");
  accept(filled.queue, some(filled.inbox, {1}));
  const std::size_t bytes = filled.queue.waiting().bytes;
  check::that(filled.queue.full({.requests = 1, .rows = 1, .bytes = 100 - bytes}).has_value(),
              "together");
});

const check::Add kOwnReason("each request is refused for a reason of its own", [] {
  Filled filled(0, {.batchable = true, .maxBatch = 1, .maxQueue = 9, .maxQueueRows = 3});
  const infer::RunCost cost{.known = true, .steady = true, .base = 0, .perRow = 10};
  accept(filled.queue, some(filled.inbox, {1, 2}));
  Taken first;
  Taken second;
  filled.queue.take(first, 0);
  accept(filled.queue, some(filled.inbox, {3}), 10);
  filled.queue.take(second, 10);  // a row in 10
  auto more = some(filled.inbox, {4, 5, 6, 7});
  more[0]->deadline = 29;  // a row waits: gone at 20, and an answer at 30
  more[1]->deadline = 30;
  more[2]->rows = 2;
  filled.queue.submit(more, 10, cost);
  check::equal(idsOf(more), Ids{4, 6}, "those that may not join");
  check::failed(more[0]->result, ErrorCode::kDeadline, "after the deadline");
  check::failed(more[1]->result, ErrorCode::kQueueFull, "batching.maxQueueRows");
  check::equal(filled.queue.waiting().rows, std::int64_t{3}, "rows that wait");
  filled.queue.finish(first);
  filled.queue.finish(second);
});

const check::Add kBytes("the bytes that wait are those of the inputs, also after leaving", [] {
  Filled filled(3);
  const std::size_t each = filled.queue.waiting().bytes / 3;
  check::that(each >= sizeof(float), "bytes of a request");
  check::equal(filled.queue.cancel(filled.inbox.get(), Ids{2}), Ids{2}, "found");
  check::equal(filled.queue.waiting().bytes, 2 * each, "without the cancelled one");
  Taken batch;
  filled.queue.take(batch, 0);
  check::equal(filled.queue.waiting().bytes, std::size_t{0}, "without those that run");
  filled.queue.finish(batch);
});

const check::Add kAgain("room that a take makes can be used again", [] {
  Filled filled(6);
  Taken batch;
  filled.queue.take(batch, 0);
  auto more = some(filled.inbox, {7, 8, 9, 10});
  accept(filled.queue, std::move(more));
  check::equal(filled.queue.running(), std::size_t{4}, "requests that run do not count as waiting");
  filled.queue.finish(batch);
  check::equal(filled.queue.running(), std::size_t{0}, "requests that run");
});

const check::Add kOrder("requests leave in the order they came", [] {
  Filled filled(6);
  Taken first;
  Taken second;
  filled.queue.take(first, 0);
  filled.queue.take(second, 0);
  check::equal(idsOf(first.requests), Ids{1, 2, 3, 4}, "the first four");
  check::equal(idsOf(second.requests), Ids{5, 6}, "the rest");
  filled.queue.finish(second);
  filled.queue.finish(first);
  check::equal(first.requests.size(), std::size_t{4}, "who wants an answer of the first");
});

const check::Add kArrived("the time of arrival is that of the submit", [] {
  Filled filled(0);
  accept(filled.queue, some(filled.inbox, {1}), 17);
  Taken batch;
  filled.queue.take(batch, 20);
  check::equal(batch.requests.front()->arrived, TimeNs{17}, "arrived");
  filled.queue.finish(batch);
});

const check::Add kExpired("requests leave when their deadline has passed, not before", [] {
  Filled filled(0, {.batchable = true, .maxBatch = 4, .maxDelay = 1000, .maxQueue = 6});
  setDeadline(filled, 1, kNever);
  setDeadline(filled, 2, 2000);
  setDeadline(filled, 3, 100);
  Taken batch;
  auto result = filled.queue.take(batch, 49);
  check::that(result.expired.empty() && batch.requests.empty(), "nothing at half of the deadline");
  check::equal(result.waitUntil, TimeNs{50}, "when to ask again");
  result = filled.queue.take(batch, 100);
  check::equal(idsOf(result.expired), Ids{3}, "the late one");
  check::equal(result.waitUntil, TimeNs{1000}, "the next time to ask");
  result = filled.queue.take(batch, 1000);
  check::equal(idsOf(batch.requests), Ids{1, 2}, "the rest in a batch");
  filled.queue.finish(batch);
});

const check::Add kAllExpired("when all are late nothing is left to run or to wait for", [] {
  Filled filled(0);
  setDeadline(filled, 1, 10);
  setDeadline(filled, 2, 10);
  Taken batch;
  const auto result = filled.queue.take(batch, 10);
  check::equal(idsOf(result.expired), Ids{1, 2}, "both late");
  check::equal(result.waitUntil, kNever, "when to ask again");
  check::equal(filled.queue.depth(), std::size_t{0}, "requests that wait");
});

constexpr infer::Measured kSlow = {
    .cost = {.known = true, .steady = true, .base = 100, .perRow = 0}};

const check::Add kHopeless("requests that a run cannot answer in time expire before it", [] {
  Filled filled(0);
  setDeadline(filled, 1, 100);
  setDeadline(filled, 2, 101);
  setDeadline(filled, 3, 50);
  Taken batch;
  const auto result = filled.queue.take(batch, 0, kSlow);
  check::equal(idsOf(result.expired), Ids{1, 3}, "the ones that end too late");
  check::equal(idsOf(batch.requests), Ids{2}, "the one in time");
  filled.queue.finish(batch);
});

// A cost measured on a bad day would refuse everybody for ever: nothing would run to correct it.
const check::Add kTried("when no request can be answered in time the one with most time is tried",
                        [] {
                          Filled filled(0);
                          setDeadline(filled, 1, 40);
                          setDeadline(filled, 2, 60);
                          setDeadline(filled, 3, 50);
                          Taken batch;
                          const auto result = filled.queue.take(batch, 0, kSlow);
                          check::equal(idsOf(result.expired), Ids{1, 3}, "the others");
                          check::equal(idsOf(batch.requests), Ids{2}, "the one that is tried");
                          filled.queue.finish(batch);
                          setDeadline(filled, 4, 70);
                          check::equal(idsOf(filled.queue.take(batch, 70, kSlow).expired), Ids{4},
                                       "a late one, not tried");
                        });

const check::Add kCancelWaiting(
    "a cancelled request leaves the queue, the rest keep their order", [] {
      Filled filled(5);
      check::equal(filled.queue.cancel(filled.inbox.get(), Ids{3}), Ids{3}, "found");
      check::that(filled.queue.cancel(filled.inbox.get(), Ids{3}).empty(), "not found twice");
      Taken batch;
      filled.queue.take(batch, 0);
      check::equal(idsOf(batch.requests), Ids{1, 2, 4, 5}, "the others");
      filled.queue.finish(batch);
    });

const check::Add kCancelMany("many requests are cancelled together, waiting or running", [] {
  Filled filled(6);
  Taken batch;
  filled.queue.take(batch, 0);
  const Ids wanted = {1, 2, 3, 4, 6, 7};
  check::equal(filled.queue.cancel(filled.inbox.get(), wanted), Ids{6, 1, 2, 3, 4}, "found");
  check::that(batch.stop.stop_requested(), "the run to be stopped");
  check::that(filled.queue.cancel(filled.inbox.get(), wanted).empty(), "nothing found twice");
  check::equal(filled.queue.depth(), std::size_t{1}, "requests that wait");
  filled.queue.finish(batch);
  check::equal(idsOf(filled.queue.close()), Ids{5}, "the one that was not named");
});

// Against a plain list, with removals at the front, in the middle and at the end.
const check::Add kLong("a long queue keeps its order whatever leaves it", [] {
  constexpr std::uint64_t kCount = 1000;
  infer::Limits limits = kLimits;
  limits.maxQueue = kCount;
  Filled filled(kCount, limits);
  Ids expected(kCount);
  std::iota(expected.begin(), expected.end(), 1);
  while (expected.size() > 8) {
    const Ids leaving = {expected[1], expected[expected.size() / 2], expected.back()};
    check::equal(filled.queue.cancel(filled.inbox.get(), leaving), leaving, "found");
    std::erase_if(expected, [&](std::uint64_t id) { return std::ranges::count(leaving, id) > 0; });
    Taken batch;
    filled.queue.take(batch, 0);
    check::equal(idsOf(batch.requests), Ids(expected.begin(), expected.begin() + 4), "the oldest");
    expected.erase(expected.begin(), expected.begin() + 4);
    filled.queue.finish(batch);
  }
  check::equal(idsOf(filled.queue.close()), expected, "what is left");
});

const check::Add kCancelOther("another channel's request with the same id stays", [] {
  Filled filled(1);
  const Inbox other;
  check::that(filled.queue.cancel(&other, Ids{1}).empty(), "nothing of the other channel");
  check::equal(filled.queue.depth(), std::size_t{1}, "requests that wait");
});

const check::Add kStop("a run is told to stop when its last member is cancelled", [] {
  Filled filled(3);
  Taken batch;
  filled.queue.take(batch, 0);
  for (const std::uint64_t id : {2, 1}) {
    check::equal(filled.queue.cancel(filled.inbox.get(), Ids{id}), Ids{id}, "found while it runs");
    check::that(!batch.stop.stop_requested(), "the run to go on");
  }
  check::that(filled.queue.cancel(filled.inbox.get(), Ids{2}).empty(), "not found twice");
  check::that(!batch.stop.stop_requested(), "nor stopped by a second attempt");
  check::equal(filled.queue.cancel(filled.inbox.get(), Ids{3}), Ids{3}, "the last one found");
  check::that(batch.stop.stop_requested(), "the run to be stopped");
  check::equal(filled.queue.running(), std::size_t{0}, "requests that run");
  filled.queue.finish(batch);
  check::that(batch.requests.empty(), "nobody who wants an answer");
});

const check::Add kFinished("after its run a request cannot be cancelled any more", [] {
  Filled filled(2);
  Taken batch;
  filled.queue.take(batch, 0);
  filled.queue.cancel(filled.inbox.get(), Ids{1});
  filled.queue.finish(batch);
  check::equal(idsOf(batch.requests), Ids{2}, "who wants an answer");
  check::that(filled.queue.cancel(filled.inbox.get(), Ids{2}).empty(), "not found");
});

const check::Add kCancelAll("a channel that ends leaves the queue and its runs", [] {
  Filled filled(0);
  const auto other = std::make_shared<Inbox>();
  const auto give = [&](const std::shared_ptr<Inbox>& inbox, std::uint64_t id, int width) {
    Requests one;
    one.push_back(test::makeRequest(inbox, id, {.width = width}));
    accept(filled.queue, std::move(one));
  };
  give(other, 1, 1);
  give(other, 2, 1);
  give(other, 3, 2);
  give(filled.inbox, 4, 2);
  give(other, 5, 3);
  give(filled.inbox, 6, 3);
  Taken alone;
  Taken mixed;
  filled.queue.take(alone, 0);
  filled.queue.take(mixed, 0);
  filled.queue.cancelAll(other.get());
  check::that(alone.stop.stop_requested(), "its own run to be stopped");
  check::that(!mixed.stop.stop_requested(), "a shared run to go on");
  check::equal(filled.queue.depth(), std::size_t{1}, "requests that wait");
  filled.queue.finish(alone);
  filled.queue.finish(mixed);
  check::that(alone.requests.empty(), "nobody to answer in its own run");
  check::equal(idsOf(mixed.requests), Ids{4}, "the other channel's request");
});

const check::Add kMakeRoom("while more wait than a run takes, late ones make room", [] {
  const infer::Measured known{.cost = {.known = true, .steady = true, .base = 100, .perRow = 10}};
  for (const std::uint64_t count : {5, 6}) {
    Filled filled(count - 1, {.batchable = true, .maxBatch = 5, .maxQueue = 9});
    setDeadline(filled, count, 140);  // a run of 1 ends at 110, one of 5 at 150
    Taken batch;
    const Queue::TakeResult result = filled.queue.take(batch, 0, known);
    check::equal(idsOf(result.expired), count == 5 ? Ids{} : Ids{6}, "expired");
    check::equal(batch.requests.size(), std::size_t{5}, "requests that run");
    filled.queue.finish(batch);
  }
});

const check::Add kClose("a closed queue hands back what waits and takes no more", [] {
  Filled filled(6);
  Taken batch;
  filled.queue.take(batch, 0);
  check::equal(idsOf(filled.queue.close()), Ids{5, 6}, "what waits");
  check::that(filled.queue.close().empty(), "nothing the second time");
  auto late = some(filled.inbox, {7});
  filled.queue.submit(late, 0);
  check::failed(late.front()->result, ErrorCode::kClosed, "closed");
  check::equal(idsOf(late), Ids{7}, "the refused request");
  filled.queue.finish(batch);
  check::equal(idsOf(batch.requests), Ids{1, 2, 3, 4}, "the run's requests, still to answer");
});

}  // namespace
