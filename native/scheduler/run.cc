// SPDX-License-Identifier: Apache-2.0
// Pack, run, split, answer.
#include "native/scheduler/run.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <utility>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/metrics.h"
#include "native/base/request.h"
#include "native/scheduler/batch.h"
#include "native/scheduler/parts.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/served_model.h"

namespace infer {
namespace {

struct Running {
  ServedModel& model;
  const std::stop_token stop;
  const Clock& clock;
  TimeNs used = 0;  // by the engine
};

Result<void> runOnce(Running& running, std::span<const std::unique_ptr<Request>> requests) {
  ServedModel& model = running.model;
  try {
    const std::int64_t asked = rowsOf(requests);
    const BatchShape shape = shapeOf(requests, model.queue.limits().buckets, model.padding);
    const Batch batch = pack(requests, shape);
    const TimeNs started = running.clock.now();
    Result<Outputs> outputs = model.loaded->run(batch, running.stop);
    const TimeNs time = running.clock.now() - started;
    for (const auto& request : requests) {
      request->ran += time;
    }
    model.metrics.ran(asked, shape.rows - asked, time);
    running.used += time;
    if (!outputs.ok()) {
      return std::move(outputs).error();
    }
    if (!running.stop
             .stop_requested()) {  // neither a failed run nor one cut short says what it costs
      model.estimate.add(batch.rows, time);
    }
    return split(std::move(outputs).value(), requests, shape);
  } catch (const std::exception& failure) {  // std::bad_alloc: a batch is a second copy of its rows
    return caught(failure, "the batch cannot be run");
  }
}

void run(Running& running, std::span<const std::unique_ptr<Request>> requests) {
  const Result<void> done = runOnce(running, requests);
  if (done.ok()) {
    return;
  }
  if (requests.size() > 1 && !running.stop.stop_requested()) {
    // One request's data may have failed the whole batch: halves find it, and only it fails.
    const std::size_t half = requests.size() / 2;
    run(running, requests.first(half));
    run(running, requests.subspan(half));
    return;
  }
  for (const auto& request : requests) {
    request->result = done.error();
  }
}

// The bytes of an answer, where its caller wants bytes and has none yet.
void encode(Request& request, Metrics& metrics, const Clock& clock) {
  if (!request.encoded || request.encoded->written || !request.result.ok()) {
    return;
  }
  EncodedAnswer& encoded = *request.encoded;
  encoded.written = true;
  const TimeNs started = clock.now();
  try {
    Result<EncodedText> written = encoded.write(request.result.value());
    if (written.ok()) {
      encoded.finished = std::move(written).value();
      request.result = Outputs{};
    } else {
      request.result = std::move(written).error();
    }
  } catch (const std::exception& failure) {  // std::bad_alloc: the text is a copy of the outputs
    request.result = caught(failure, "the answer cannot be written");
  }
  encoded.times.queue = request.waited;
  encoded.times.run = request.ran;
  encoded.times.format = clock.now() - started;
  metrics.parsed(encoded.times.parse);
  metrics.formatted(encoded.times.format);
}

// The answer of a request whose last part is finished.
void join(Request& request) {
  try {
    request.result = joinParts(*request.whole);
  } catch (const std::exception& failure) {  // std::bad_alloc: the answer is a second copy
    request.result = caught(failure, "the parts cannot be joined");
  }
}

}  // namespace

TimeNs runBatch(ServedModel& model, Taken& batch, const Clock& clock) {
  const TimeNs started = clock.now();
  for (const auto& request : batch.requests) {
    if (request->offset == 0) {  // of a request in parts only the first has waited for its turn
      request->waited = started - request->arrived;
      model.metrics.waited(request->waited);
    }
  }
  Running running{.model = model, .stop = batch.stop.get_token(), .clock = clock};
  run(running, batch.requests);
  return running.used;
}

void answerBatch(ServedModel& model, Taken& batch, const Clock& clock) {
  // Before finish(): while long answers are written, requests can still be cancelled.
  for (const auto& request : batch.requests) {
    if (!request->whole && !request->abandoned.load(std::memory_order_relaxed)) {
      encode(*request, model.metrics, clock);
    }
  }
  model.queue.finish(batch);
  for (const auto& request : batch.requests) {
    if (request->whole && request->result.ok()) {
      join(*request);
    }
    encode(*request, model.metrics, clock);
  }
  answer(model, std::move(batch.requests));
}

}  // namespace infer
