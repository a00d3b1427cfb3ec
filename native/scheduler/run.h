// SPDX-License-Identifier: Apache-2.0
// Runs a batch that was taken from a queue and answers its requests.
// Threads: a lane, or the JS thread for a model so small that handing over would cost more.
#pragma once

#include "native/base/clock.h"
#include "native/scheduler/queue.h"
#include "native/scheduler/served_model.h"

namespace infer {

// A batch that fails is run again as halves, down to single requests, so that only the guilty fail.
// Returns the device time of all these runs. Where rows alone say how long a run takes, it is the
// expected time: a run may have lost its core to others meanwhile, for which its model is not to
// pay.
TimeNs runBatch(ServedModel& model, Taken& batch, const Clock& clock);

}  // namespace infer
