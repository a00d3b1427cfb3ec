// SPDX-License-Identifier: Apache-2.0
// Runs a batch that was taken from a queue and answers its requests.
// Threads: a lane, or the JS thread for a model so small that handing over would cost more.
#pragma once

#include "native/base/clock.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/served_model.h"

namespace infer {

// A batch that fails is run again as halves, down to single requests, so that only the guilty fail.
// Returns how long the engine was at work in all these runs. Afterwards comes answerBatch().
TimeNs runBatch(ServedModel& model, Taken& batch, const Clock& clock);

// Writes the answers of those whose callers want bytes and still wait, and gives all of them.
void answerBatch(ServedModel& model, Taken& batch, const Clock& clock);

}  // namespace infer
