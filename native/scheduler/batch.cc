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

// Elements of one row of `shape`; of a tensor that exists, so that the product fits.
std::size_t elementsOfRow(const Shape& shape) {
  std::size_t elements = 1;
  for (std::size_t axis = 1; axis < shape.size(); ++axis) {
    elements *= static_cast<std::size_t>(shape[axis]);
  }
  return elements;
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

Tensor joinRows(std::span<const Tensor* const> pieces, std::int64_t rows) {
  const Tensor& first = *pieces.front();
  Tensor joined{.type = first.type, .shape = first.shape, .bytes = {}, .strings = {}};
  joined.shape[0] = 0;
  std::size_t bytes = 0;
  std::size_t strings = 0;
  for (const Tensor* piece : pieces) {
    joined.shape[0] += piece->shape[0];
    bytes += piece->bytes.size();
    strings += piece->strings.size();
  }
  const auto given = static_cast<std::size_t>(joined.shape[0]);
  const auto missing = static_cast<std::size_t>(rows) - given;
  joined.shape[0] = rows;
  const std::size_t row = missing == 0 ? 0 : elementsOfRow(joined.shape);
  if (joined.type == ElementType::kString) {
    joined.strings.reserve(strings + missing * row);
    for (const Tensor* piece : pieces) {
      joined.strings.insert(joined.strings.end(), piece->strings.begin(), piece->strings.end());
    }
    for (std::size_t i = 0; i < missing * row; ++i) {
      joined.strings.push_back(given == 0 ? std::string() : joined.strings[i % row]);
    }
    return joined;
  }
  const std::size_t rowBytes = row * elementTypeInfo(joined.type).bytes;
  joined.bytes = Bytes::allocate(bytes + missing * rowBytes);
  std::byte* to = joined.bytes.data();
  for (const Tensor* piece : pieces) {
    std::memcpy(to, piece->bytes.data(), piece->bytes.size());
    to += piece->bytes.size();
  }
  for (std::size_t i = 0; i < missing; ++i, to += rowBytes) {
    if (given == 0) {
      std::memset(to, 0, rowBytes);
    } else {
      std::memcpy(to, joined.bytes.data(), rowBytes);
    }
  }
  return joined;
}

std::int64_t rowsOf(std::span<const std::unique_ptr<Request>> requests) {
  std::int64_t rows = 0;
  for (const auto& request : requests) {
    rows += request->rows;
  }
  return rows;
}

Batch pack(std::span<const std::unique_ptr<Request>> requests, std::int64_t rows) {
  Batch batch{.inputs = {}, .rows = rows};
  if (requests.size() == 1 && requests.front()->rows == rows) {
    batch.inputs = std::move(requests.front()->inputs);
    return batch;
  }
  const std::size_t inputs = requests.front()->inputs.size();
  batch.inputs.reserve(inputs);
  std::vector<const Tensor*> pieces(requests.size());
  for (std::size_t i = 0; i < inputs; ++i) {
    std::ranges::transform(requests, pieces.begin(),
                           [i](const auto& request) { return &request->inputs[i]; });
    batch.inputs.push_back(joinRows(pieces, rows));
  }
  return batch;
}

Result<void> split(Outputs outputs, std::span<const std::unique_ptr<Request>> requests,
                   std::int64_t rows) {
  const Request& first = *requests.front();
  if (requests.size() == 1 && !first.whole && first.rows == rows) {
    requests.front()->result = std::move(outputs);
    return {};
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
