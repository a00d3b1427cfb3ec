// SPDX-License-Identifier: Apache-2.0
// Handing answers back in bulk.
#include "native/scheduler/served_model.h"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/metrics.h"
#include "native/base/request.h"
#include "native/scheduler/lane.h"
#include "native/scheduler/queue.h"

namespace infer {
namespace {

void count(Metrics& metrics, const Requests& requests) {
  std::uint64_t completed = 0;
  StageTimes spent;
  for (const auto& request : requests) {
    if (request->result.ok()) {
      ++completed;
      spent.queue += request->waited;
      spent.run += request->ran;
      if (request->encoded) {
        spent.parse += request->encoded->times.parse;
        spent.format += request->encoded->times.format;
      }
    } else {
      metrics.failed(request->result.error().code);
    }
  }
  metrics.completed(completed, spent);
}

}  // namespace

void wakeOne(const ServedModel& model) {
  model.lanes.any([](Lane& lane) { return lane.wakeIfIdle(); });
}

Error lateInQueue() {
  return {
      ErrorCode::kDeadline,
      "the deadline passed, or would have before an answer, while the request waited in the queue",
      {}};
}

void answer(ServedModel& model, Requests requests) {
  count(model.metrics, requests);
  while (!requests.empty()) {
    // As many rounds as there are JS environments in the batch: mostly one.
    const std::shared_ptr<ReplyChannel> channel = requests.front()->channel;
    std::vector<Reply> replies;
    replies.reserve(requests.size());
    Requests others;
    for (auto& request : requests) {
      if (request->channel == channel) {
        replies.push_back({request->id, std::move(request->result), std::move(request->encoded)});
      } else {
        others.push_back(std::move(request));
      }
    }
    requests = std::move(others);
    channel->deliver(std::move(replies));
  }
}

void fail(ServedModel& model, Requests requests, const Error& error) {
  if (requests.empty()) {
    return;
  }
  for (const auto& request : requests) {
    request->result = error;
  }
  answer(model, std::move(requests));
}

}  // namespace infer
