// SPDX-License-Identifier: Apache-2.0
// A request with more rows than a run takes: cutting parts off it, and joining their outputs.
// Threads: any; its queue's mutex guards a Whole until the last part is finished.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"

namespace infer {

// Shared by the parts of one request, which several lanes may run at the same time, and by what of
// it still waits.
struct Whole {
  struct Done {
    std::int64_t offset = 0;
    std::int64_t rows = 0;
    Outputs outputs;
  };
  std::size_t bytes = 0;      // of all inputs, which stay until the last part is taken
  std::int64_t rowsLeft = 0;  // that have no outputs yet
  std::vector<Done> done;     // in the order the parts ended
  TimeNs waited = 0;          // of the first part
  TimeNs ran = 0;             // sum over the parts that ended
  std::unique_ptr<EncodedAnswer> encoded;
};

// Takes the first `rows` rows, fewer than all, off `rest`. The part shares the memory of its
// inputs.
std::unique_ptr<Request> cutPart(Request& rest, std::int64_t rows);

// Makes what is left of a request that was cut its last part.
void becomeLastPart(Request& rest);

// Hands the outputs and times of a finished part over; true when it was the last one, which then
// has those of the whole request.
bool finishPart(Request& part);

// The outputs of all parts as those of one run. Fails with kEngineFailed when they do not agree in
// every axis but axis 0.
Result<Outputs> joinParts(Whole& whole);

}  // namespace infer
