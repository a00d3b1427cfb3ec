// SPDX-License-Identifier: Apache-2.0
// Row-wise concatenation and its reverse.
#include "native/scheduler/batch.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/scheduler/buckets.h"
#include "native/scheduler/pad_value.h"
#include "native/scheduler/padding.h"

namespace infer {
namespace {

// Copies what both shapes have, from the corner of one block to that of the other.
void copyCorner(std::byte* to, std::span<const std::int64_t> toShape, const std::byte* from,
                std::span<const std::int64_t> fromShape, std::size_t element) {
  const auto bytesOf = [element](std::span<const std::int64_t> shape) {
    return std::accumulate(shape.begin(), shape.end(), element, [](std::size_t size, auto axis) {
      return size * static_cast<std::size_t>(axis);
    });
  };
  if (std::ranges::equal(toShape, fromShape)) {
    std::memcpy(to, from, bytesOf(toShape));
    return;
  }
  const std::size_t toStep = bytesOf(toShape.subspan(1));
  const std::size_t fromStep = bytesOf(fromShape.subspan(1));
  for (std::int64_t i = std::min(toShape[0], fromShape[0]); i > 0; --i) {
    copyCorner(to, toShape.subspan(1), from, fromShape.subspan(1), element);
    to += toStep;
    from += fromStep;
  }
}

// `shape` with the padded axes at these lengths.
Shape withLengths(Shape shape, const Padding::Axes& axes, const Shape& lengths) {
  for (std::size_t axis = 0; axis < axes.lengths.size(); ++axis) {
    if (const auto length = axes.lengths[axis]) {
      shape[axis] = lengths[*length];
    }
  }
  return shape;
}

Bytes allocateFor(ElementType type, const Shape& shape) {
  const auto size = byteSize(type, shape);
  if (!size.ok()) {
    throw std::length_error(size.error().message);
  }
  return Bytes::allocate(size.value());
}

// joinRows() into a tensor of this shape, in which shorter axes are filled up with `value`.
Tensor joinPadded(std::span<const Tensor* const> pieces, const Shape& shape, const Element& value) {
  Tensor joined{.type = pieces.front()->type, .shape = shape, .bytes = {}, .strings = {}};
  const std::size_t element = elementTypeInfo(joined.type).bytes;
  joined.bytes = allocateFor(joined.type, shape);
  for (std::size_t at = 0; at < joined.bytes.size(); at += element) {
    std::memcpy(joined.bytes.data() + at, value.data(), element);
  }
  const std::size_t row =
      joined.bytes.size() / std::max<std::size_t>(static_cast<std::size_t>(shape[0]), 1);
  Shape block = shape;
  std::byte* to = joined.bytes.data();
  std::byte* const end = to + joined.bytes.size();
  for (const Tensor* piece : pieces) {
    block[0] = piece->shape[0];
    copyCorner(to, block, piece->bytes.data(), piece->shape, element);
    to += row * static_cast<std::size_t>(block[0]);
  }
  const bool repeats = to != joined.bytes.data();  // else no row is anybody's
  for (; repeats && to != end; to += row) {
    std::memcpy(to, joined.bytes.data(), row);
  }
  return joined;
}

// The part of `whole` that was not padded, in memory of its own.
Tensor cutBack(const Tensor& whole, Shape shape) {
  Tensor own{.type = whole.type, .shape = std::move(shape), .bytes = {}, .strings = {}};
  own.bytes = allocateFor(own.type, own.shape);
  copyCorner(own.bytes.data(), own.shape, whole.bytes.data(), whole.shape,
             elementTypeInfo(own.type).bytes);
  return own;
}

// The rows of `whole` that answer `request`. A large answer gets memory of its own; see
// kOwnSliceBytes.
Tensor answerOf(const Request& request, Tensor& whole, std::int64_t offset,
                const Padding::Axes* axes) {
  Tensor part = takeRows(whole, offset, request.rows);
  if (axes != nullptr) {
    Shape own = withLengths(part.shape, *axes, request.lengths);
    if (own != part.shape) {
      return cutBack(part, std::move(own));
    }
  }
  if (part.bytes.size() >= kOwnSliceBytes) {
    Bytes own = Bytes::allocate(part.bytes.size());
    std::memcpy(own.data(), part.bytes.data(), own.size());
    part.bytes = std::move(own);
  }
  return part;
}

// Whether the model returned as many rows, and padded axes as long, as went in.
Result<void> checkOutput(const Tensor& output, std::size_t at, const BatchShape& shape) {
  if (output.shape.empty() || output.shape[0] != shape.rows) {
    return Error{ErrorCode::kEngineFailed,
                 "the model returned an output of shape " + shapeText(output.shape) +
                     " for a batch of " + std::to_string(shape.rows) +
                     " rows; set batching.maxBatch to 1 for it",
                 "batch-axis"};
  }
  if (shape.padding != nullptr) {
    const Padding::Axes& axes = shape.padding->outputs[at];
    const bool ranked = output.shape.size() == axes.lengths.size();
    if (!ranked || withLengths(output.shape, axes, shape.lengths) != output.shape) {
      return Error{ErrorCode::kEngineFailed,
                   "the model returned an output of shape " + shapeText(output.shape) +
                       " for inputs padded to the lengths " + shapeText(shape.lengths) +
                       "; leave batching.padding out for it",
                   "padded-axis"};
    }
  }
  return {};
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

BatchShape shapeOf(std::span<const std::unique_ptr<Request>> requests, Buckets buckets,
                   const Padding& padding) {
  BatchShape shape{.rows = paddedRows(buckets, rowsOf(requests))};
  if (!padding.inputs.empty()) {
    shape.padding = &padding;
    shape.lengths.assign(padding.names.size(), 0);
    for (const auto& request : requests) {
      std::ranges::transform(shape.lengths, request->lengths, shape.lengths.begin(),
                             [](auto a, auto b) { return std::max(a, b); });
    }
  }
  return shape;
}

Batch pack(std::span<const std::unique_ptr<Request>> requests, const BatchShape& shape) {
  Batch batch{.inputs = {}, .rows = shape.rows};
  if (requests.size() == 1 && requests.front()->rows == shape.rows) {
    batch.inputs = std::move(requests.front()->inputs);
    return batch;
  }
  const std::size_t inputs = requests.front()->inputs.size();
  batch.inputs.reserve(inputs);
  std::vector<const Tensor*> pieces(requests.size());
  for (std::size_t i = 0; i < inputs; ++i) {
    std::ranges::transform(requests, pieces.begin(),
                           [i](const auto& request) { return &request->inputs[i]; });
    const bool padded = shape.padding != nullptr && shape.padding->inputs[i].padded();
    if (padded) {
      const Padding::Axes& axes = shape.padding->inputs[i];
      Shape whole = withLengths(pieces.front()->shape, axes, shape.lengths);
      whole[0] = shape.rows;
      batch.inputs.push_back(joinPadded(pieces, whole, axes.value));
    } else {
      batch.inputs.push_back(joinRows(pieces, shape.rows));
    }
  }
  return batch;
}

Result<void> split(Outputs outputs, std::span<const std::unique_ptr<Request>> requests,
                   const BatchShape& shape) {
  const Request& first = *requests.front();
  if (requests.size() == 1 && !first.whole && first.rows == shape.rows) {
    requests.front()->result = std::move(outputs);
    return {};
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (auto fits = checkOutput(outputs[i], i, shape); !fits.ok()) {
      return fits;
    }
  }
  std::int64_t offset = 0;
  for (const auto& request : requests) {
    Outputs part;
    part.reserve(outputs.size());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      part.push_back(answerOf(*request, outputs[i], offset,
                              shape.padding == nullptr ? nullptr : &shape.padding->outputs[i]));
    }
    request->result = std::move(part);
    offset += request->rows;
  }
  return {};
}

}  // namespace infer
