// SPDX-License-Identifier: Apache-2.0
// One loaded model as the scheduler sees it: the model, its queue, its counters, its lanes.
// Threads: any; every member is constant after placement or safe by itself.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/metrics.h"
#include "native/base/tensor.h"
#include "native/engine/engine.h"
#include "native/scheduler/estimate.h"
#include "native/scheduler/lane_set.h"
#include "native/scheduler/padding.h"
#include "native/scheduler/policy.h"
#include "native/scheduler/queue.h"

namespace infer {

struct ModelOrigin {
  std::string engine;
  Device device;
  std::string path;       // of the model file
  int threadsPerRun = 1;  // the lane's own included
};

// Shared by the handles of the JS environments and by the lanes it is placed on: the last handle
// takes it from the lanes, and a lane that is running it lets go only after its run.
struct ServedModel {
  ServedModel(std::shared_ptr<LoadedModel> loadedModel, ModelOrigin from, const Limits& limits,
              std::size_t mostLanes)
      : loaded(std::move(loadedModel)),
        origin(std::move(from)),
        signature(limits.buckets.empty() ? loaded->signature() : withFreeRows(loaded->signature())),
        queue(limits),
        metrics(limits.maxBatch),
        estimate(isPredictable(signature, limits.batchable)),
        lanes(mostLanes) {}

  const std::shared_ptr<LoadedModel> loaded;
  const ModelOrigin origin;
  const Signature signature;  // what callers may ask for: with buckets, any number of rows
  Queue queue;
  Metrics metrics;
  RunEstimate estimate;
  std::atomic<TimeNs> hereFrom{0};  // relaxed; before, no run on a caller's thread
  // Requests whose bodies are still to be read, in all environments; relaxed: a bound on memory
  // that may be off by what comes at the same moment.
  std::atomic<std::size_t> unread{0};
  std::atomic<std::size_t> unreadBytes{0};
  Padding padding;  // set once, before the first request
  LaneSet lanes;    // set before the first request and by Scheduler::scale()
};

// Wakes one of its lanes, if one sleeps; those that do not will look for work by themselves.
// thread: any.
void wakeOne(const ServedModel& model);

// The answer to a request whose deadline passed before a lane was free.
Error lateInQueue();

// Counts and delivers what `requests` carry as their results, one delivery per channel. thread:
// any.
void answer(ServedModel& model, Requests requests);

// The same after giving every one of them `error`. thread: any.
void fail(ServedModel& model, Requests requests, const Error& error);

}  // namespace infer
