// SPDX-License-Identifier: Apache-2.0
// Row ranges of a request, and their outputs side by side.
#include "native/scheduler/parts.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/scheduler/admission.h"
#include "native/scheduler/batch.h"

namespace infer {
namespace {

std::vector<Tensor> rowsOf(std::vector<Tensor>& inputs, std::int64_t offset, std::int64_t rows) {
  std::vector<Tensor> part;
  part.reserve(inputs.size());
  for (Tensor& input : inputs) {
    part.push_back(takeRows(input, offset, rows));
  }
  return part;
}

}  // namespace

std::unique_ptr<Request> cutPart(Request& rest, std::int64_t rows) {
  if (!rest.whole) {
    rest.whole = std::make_shared<Whole>();
    rest.whole->bytes = loadOf(rest).bytes;
    rest.whole->rowsLeft = rest.rows;
    rest.whole->encoded = std::move(rest.encoded);
  }
  auto part = std::make_unique<Request>();
  part->id = rest.id;
  part->channel = rest.channel;
  part->inputs = rowsOf(rest.inputs, rest.offset, rows);
  part->rows = rows;
  part->lengths = rest.lengths;
  part->deadline = rest.deadline;
  part->arrived = rest.arrived;
  part->whole = rest.whole;
  part->offset = rest.offset;
  rest.offset += rows;
  rest.rows -= rows;
  return part;
}

void becomeLastPart(Request& rest) {
  rest.inputs = rowsOf(rest.inputs, rest.offset, rest.rows);
}

bool finishPart(Request& part) {
  Whole& whole = *part.whole;
  whole.done.push_back({part.offset, part.rows, std::move(part.result).value()});
  whole.rowsLeft -= part.rows;
  whole.waited += part.waited;  // only the first has waited
  whole.ran += part.ran;
  part.result = Outputs{};
  if (whole.rowsLeft > 0) {
    return false;
  }
  part.waited = whole.waited;
  part.ran = whole.ran;
  part.encoded = std::move(whole.encoded);
  return true;
}

Result<Outputs> joinParts(Whole& whole) {
  std::ranges::sort(whole.done, {}, &Whole::Done::offset);
  Outputs joined;
  std::int64_t rows = 0;
  for (const Whole::Done& part : whole.done) {
    rows += part.rows;
  }
  for (std::size_t i = 0; i < whole.done.front().outputs.size(); ++i) {
    const Shape& first = whole.done.front().outputs[i].shape;
    std::vector<const Tensor*> pieces;
    for (const Whole::Done& part : whole.done) {
      const Shape& shape = part.outputs[i].shape;
      if (!std::equal(shape.begin() + 1, shape.end(), first.begin() + 1, first.end())) {
        return Error{ErrorCode::kEngineFailed,
                     "the model returned outputs of shapes " + shapeText(first) + " and " +
                         shapeText(shape) +
                         " for parts of one request; ask for at most batching.maxBatch rows",
                     "parts"};
      }
      pieces.push_back(&part.outputs[i]);
    }
    joined.push_back(joinRows(pieces, rows));
  }
  return joined;
}

}  // namespace infer
