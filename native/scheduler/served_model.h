// SPDX-License-Identifier: Apache-2.0
// One loaded model as the scheduler sees it: the model, its queue, its counters, its lanes.
// Threads: any; every member is constant after placement or safe by itself.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/metrics.h"
#include "native/base/tensor.h"
#include "native/engine/engine.h"
#include "native/scheduler/estimate.h"
#include "native/scheduler/policy.h"
#include "native/scheduler/queue.h"

namespace infer {

class Lane;

// Shared by the handles of the JS environments and by the lanes it is placed on: the last handle
// takes it from the lanes, and a lane that is running it lets go only after its run.
struct ServedModel {
  ServedModel(std::shared_ptr<LoadedModel> loadedModel, std::string engineName, Device modelDevice,
              const Limits& limits)
      : loaded(std::move(loadedModel)),
        engine(std::move(engineName)),
        device(std::move(modelDevice)),
        queue(limits),
        estimate(isPredictable(loaded->signature(), limits.batchable)) {}

  const std::shared_ptr<LoadedModel> loaded;
  const std::string engine;
  const Device device;
  Queue queue;
  Metrics metrics;
  RunEstimate estimate;
  std::atomic<TimeNs> hereFrom{0};  // relaxed; before, no run on a caller's thread
  std::vector<Lane*> lanes;         // set once, before the first request; lanes outlive every model
};

// The answer to a request whose deadline passed before a lane was free.
Error lateInQueue();

// Counts and delivers what `requests` carry as their results, one delivery per channel. thread:
// any.
void answer(ServedModel& model, Requests requests);

// The same after giving every one of them `error`. thread: any.
void fail(ServedModel& model, Requests requests, const Error& error);

}  // namespace infer
