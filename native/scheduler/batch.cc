// SPDX-License-Identifier: Apache-2.0
// Row-wise concatenation and its reverse.
#include "native/scheduler/batch.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"

namespace infer {
namespace {

// A large answer gets memory of its own; see kOwnSliceBytes.
Tensor takeAnswer(Tensor& whole, std::int64_t offset, std::int64_t rows) {
  Tensor part = takeRows(whole, offset, rows);
  if (part.bytes.size() >= kOwnSliceBytes) {
    Bytes own = Bytes::allocate(part.bytes.size());
    std::memcpy(own.data(), part.bytes.data(), own.size());
    part.bytes = std::move(own);
  }
  return part;
}

}  // namespace

Tensor takeRows(Tensor& whole, std::int64_t offset, std::int64_t rows) {
  const auto total = static_cast<std::size_t>(whole.shape[0]);
  const auto from = static_cast<std::size_t>(offset);
  const auto count = static_cast<std::size_t>(rows);
  Tensor part{.type = whole.type, .shape = whole.shape, .bytes = {}, .strings = {}};
  part.shape[0] = rows;
  if (whole.type == ElementType::kString) {
    const std::size_t perRow = total == 0 ? 0 : whole.strings.size() / total;
    const auto begin = whole.strings.begin() + static_cast<std::ptrdiff_t>(from * perRow);
    part.strings.assign(
        std::make_move_iterator(begin),
        std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(count * perRow)));
    return part;
  }
  const std::size_t perRow = total == 0 ? 0 : whole.bytes.size() / total;
  part.bytes = whole.bytes.slice(from * perRow, count * perRow);
  return part;
}

Tensor joinRows(std::span<const Tensor* const> pieces) {
  const Tensor& first = *pieces.front();
  Tensor joined{.type = first.type, .shape = first.shape, .bytes = {}, .strings = {}};
  joined.shape[0] = 0;
  std::size_t bytes = 0;
  for (const Tensor* piece : pieces) {
    joined.shape[0] += piece->shape[0];
    bytes += piece->bytes.size();
  }
  if (joined.type == ElementType::kString) {
    for (const Tensor* piece : pieces) {
      joined.strings.insert(joined.strings.end(), piece->strings.begin(), piece->strings.end());
    }
    return joined;
  }
  joined.bytes = Bytes::allocate(bytes);
  std::byte* to = joined.bytes.data();
  for (const Tensor* piece : pieces) {
    std::memcpy(to, piece->bytes.data(), piece->bytes.size());
    to += piece->bytes.size();
  }
  return joined;
}

Batch pack(std::span<const std::unique_ptr<Request>> requests) {
  Batch batch;
  if (requests.size() == 1) {
    batch.rows = requests.front()->rows;
    batch.inputs = std::move(requests.front()->inputs);
    return batch;
  }
  for (const auto& request : requests) {
    batch.rows += request->rows;
  }
  const std::size_t inputs = requests.front()->inputs.size();
  batch.inputs.reserve(inputs);
  std::vector<const Tensor*> pieces(requests.size());
  for (std::size_t i = 0; i < inputs; ++i) {
    std::ranges::transform(requests, pieces.begin(),
                           [i](const auto& request) { return &request->inputs[i]; });
    batch.inputs.push_back(joinRows(pieces));
  }
  return batch;
}

Result<void> split(Outputs outputs, std::span<const std::unique_ptr<Request>> requests) {
  if (requests.size() == 1 && !requests.front()->whole) {
    requests.front()->result = std::move(outputs);
    return {};
  }
  std::int64_t rows = 0;
  for (const auto& request : requests) {
    rows += request->rows;
  }
  for (const Tensor& whole : outputs) {
    if (whole.shape.empty() || whole.shape[0] != rows) {
      return Error{ErrorCode::kEngineFailed,
                   "the model returned an output of shape " + shapeText(whole.shape) +
                       " for a batch of " + std::to_string(rows) +
                       " rows; set batching.maxBatch to 1 for it",
                   "batch-axis"};
    }
  }
  std::int64_t offset = 0;
  for (const auto& request : requests) {
    Outputs part;
    part.reserve(outputs.size());
    for (Tensor& whole : outputs) {
      part.push_back(takeAnswer(whole, offset, request->rows));
    }
    request->result = std::move(part);
    offset += request->rows;
  }
  return {};
}

}  // namespace infer
