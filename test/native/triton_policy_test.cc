// SPDX-License-Identifier: Apache-2.0
// The outcomes of Triton's dynamic batcher, row by row, on a clock of the test's own.
// @source triton-inference-server/server e1db8a6, qa/L0_batcher: max_batch_size 8, preferred sizes
// 2
//         and 6, one instance unless a row says otherwise.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "native/base/clock.h"
#include "native/scheduler/policy.h"
#include "native/scheduler/queue.h"
#include "test/native/check.h"
#include "test/native/inbox.h"

namespace {

using infer::BatchMode;
using infer::kNever;
using infer::Limits;
using infer::TimeNs;
using Rows = std::vector<std::int64_t>;

constexpr TimeNs kDelay = 1000;

struct Arrival {
  TimeNs at = 0;
  Rows rows;  // one request each, all at once
  std::int64_t width = 2;
  TimeNs deadline = kNever;
};

struct Execution {
  TimeNs at = 0;
  Rows rows;  // of its requests
  bool operator==(const Execution&) const = default;
};

struct TritonCase {
  const char* name;
  std::vector<Arrival> arrivals;
  std::vector<Execution> executions;
  TimeNs heldUntil = 0;  // the batcher looks at nothing before
  Rows preferred = {2, 6};
  std::int64_t maxBatch = 8;
  TimeNs delay = kDelay;
};

const std::vector<TritonCase> kCases = {
    {"2 runs at once", {{0, {2}}}, {{0, {2}}}},
    {"6 runs at once", {{0, {6}}}, {{0, {6}}}},
    {"7 runs at once: it is beyond the largest preferred size", {{0, {7}}}, {{0, {7}}}},
    {"1 waits for the delay", {{0, {1}}}, {{kDelay, {1}}}},
    {"3 waits for the delay", {{0, {3}}}, {{kDelay, {3}}}},
    {"3, later 7: 3 when the 7 arrives, 7 at once",
     {{0, {3}}, {400, {7}}},
     {{400, {3}}, {400, {7}}}},
    {"3, later 4: 3 when the 4 arrives, 4 waits for the delay",
     {{0, {3}}, {400, {4}}},
     {{400, {3}}, {400 + kDelay, {4}}}},
    {"six of 1 together: one batch", {{0, {1, 1, 1, 1, 1, 1}}}, {{0, {1, 1, 1, 1, 1, 1}}}},
    {"three of 1 together: two at once, one after the delay",
     {{0, {1, 1, 1}}},
     {{0, {1, 1}}, {kDelay, {1}}}},
    {"3, 4 and 1 first looked at when they are late: all 8",
     {{0, {3, 4, 1}}},
     {{kDelay + 5, {3, 4, 1}}},
     kDelay + 5},
    {"twelve of 1 together with max 4, preferred 4: three of 4 in the order of arrival",
     {{0, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}}},
     {{0, {1, 1, 1, 1}}, {0, {1, 1, 1, 1}}, {0, {1, 1, 1, 1}}},
     0,
     {4},
     4},
    {"five of 1 together with preferred 4 and 8 and no delay: 4, then 1",
     {{0, {1, 1, 1, 1, 1}}},
     {{0, {1, 1, 1, 1}}, {0, {1}}},
     0,
     {4, 8},
     8,
     0},
    {"another shape closes the batch",
     {{0, {1}, 2}, {400, {1}, 3}},
     {{400, {1}}, {400 + kDelay, {1}}}},
    {"nobody is passed over for one of his shape",
     {{0, {1}, 2}, {0, {1}, 3}, {0, {1}, 2}},
     {{0, {1}}, {0, {1}}, {kDelay, {1}}}},
    {"a request is never divided", {{0, {5, 5}}}, {{0, {5}}, {kDelay, {5}}}},
    {"the delay counts from the oldest request of the batch",
     {{0, {1}}, {600, {2}}},
     {{kDelay, {1, 2}}}},
    {"a request whose deadline passes before the delay is not run", {{0, {1}, 2, 300}}, {}},
    {"by default only a full batch is preferred",
     {{0, {2, 2, 2, 1}}, {500, {1}}},
     {{500, {2, 2, 2, 1, 1}}},
     0,
     {8}},
};

class Simulation {
 public:
  explicit Simulation(const TritonCase& row)
      : queue_(Limits{.batchable = true,
                      .maxBatch = row.maxBatch,
                      .maxDelay = row.delay,
                      .mode = BatchMode::kTriton,
                      .maxQueue = 100,
                      .buckets = {},
                      .preferred = row.preferred}),
        heldUntil_(row.heldUntil) {}

  std::vector<Execution> play(const std::vector<Arrival>& arrivals) {
    for (const Arrival& arrival : arrivals) {
      passTo(arrival.at);
      infer::Requests requests;
      for (const std::int64_t rows : arrival.rows) {
        requests.push_back(
            test::makeRequest(nullptr, ++lastId_, {.rows = rows, .width = arrival.width}));
        requests.back()->deadline = arrival.deadline;
      }
      queue_.submit(requests, now_);
      check::that(requests.empty(), "room");
      look();
    }
    passTo(arrivals.back().at + 10 * kDelay);
    return executions_;
  }

 private:
  // Runs take no time, so that the one instance is idle whenever something happens.
  void look() {
    if (now_ < heldUntil_) {
      wake_ = heldUntil_;
      return;
    }
    for (bool taken = true; taken;) {
      infer::Taken batch;
      wake_ = queue_.take(batch, now_).waitUntil;
      taken = !batch.requests.empty();
      if (taken) {
        Execution execution{.at = now_, .rows = {}};
        for (const auto& request : batch.requests) {
          execution.rows.push_back(request->rows);
        }
        executions_.push_back(execution);
        queue_.finish(batch);
      }
    }
  }

  void passTo(TimeNs time) {
    while (wake_ <= time) {
      now_ = wake_;
      wake_ = kNever;
      look();
    }
    now_ = time;
  }

  infer::Queue queue_;
  const TimeNs heldUntil_;
  TimeNs now_ = 0;
  TimeNs wake_ = kNever;
  std::uint64_t lastId_ = 0;
  std::vector<Execution> executions_;
};

const check::AddEach kOutcomes(kCases, [](const TritonCase& row) {
  const std::vector<Execution> executions = Simulation(row).play(row.arrivals);
  check::equal(executions.size(), row.executions.size(), "executions");
  for (std::size_t i = 0; i < std::min(executions.size(), row.executions.size()); ++i) {
    check::equal(executions[i].at, row.executions[i].at, "when");
    check::equal(executions[i].rows, row.executions[i].rows, "the requests of an execution");
  }
});

}  // namespace
