// SPDX-License-Identifier: Apache-2.0
// Walks over nested arrays, and what they say when they end early.
#include "native/codec/nested.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/column.h"
#include "native/codec/cursor.h"
#include "native/codec/text.h"

namespace infer::codec {
namespace {

// Whether data with a shape beside it is nested like the shape.
bool isNested(Cursor cursor, const Shape& shape) {
  return shape.size() > 1 && cursor.take('[') && cursor.peek() == Kind::kArray;
}

}  // namespace

std::string Place::path(std::span<const std::size_t> indices) const {
  std::string text = prefix;
  if (!row.empty()) {
    indices = indices.subspan(std::min<std::size_t>(indices.size(), 1));
    text = row;
    text += member.empty() && indices.empty() ? "" : ": ";
    text += member;
  } else if (!member.empty()) {
    text = indexed(text, indices.empty() ? 0 : indices.front());
    text.append(".").append(member);
    indices = indices.subspan(std::min<std::size_t>(indices.size(), 1));
  }
  for (const std::size_t at : indices) {
    text = indexed(text, at);
  }
  return text;
}

NestedReader::NestedReader(const TensorSpec& spec, Shape sizes)
    : spec_(spec), sizes_(std::move(sizes)), column_(spec.type) {}

bool NestedReader::fail(std::size_t at, std::size_t axis) {
  failedAt_ = at;
  failedAxis_ = axis;
  return false;
}

bool NestedReader::readAxis(Cursor& cursor, std::size_t axis, std::size_t& count) {
  count = 0;
  return eachElement(cursor, [&] {
    if (!read(cursor, axis + 1)) {
      within(count);
      return false;
    }
    ++count;
    return true;
  });
}

bool NestedReader::read(Cursor& cursor, std::size_t axis) {
  cursor.skipSpace();
  const std::size_t start = cursor.at();
  if (axis == sizes_.size()) {
    return column_.readOne(cursor) || fail(start, axis);
  }
  if (cursor.peek() != Kind::kArray) {
    return fail(start, axis);
  }
  std::size_t count = 0;
  if (axis + 1 < sizes_.size()) {
    if (!readAxis(cursor, axis, count)) {
      return false;
    }
  } else {
    const std::size_t before = column_.size();
    cursor.take('[');
    const bool all = column_.readRest(cursor);
    count = column_.size() - before;
    if (!all) {
      within(count);
      return fail(cursor.at(), axis + 1);
    }
  }
  std::int64_t& size = sizes_[axis];
  if (size == kFreeAxis) {
    size = static_cast<std::int64_t>(count);
  }
  return static_cast<std::size_t>(size) == count || fail(start, axis);
}

bool NestedReader::readSparse(Cursor cursor, std::size_t size, std::span<const SparseCell> cells) {
  constexpr std::size_t kAxis = 1;
  std::int64_t& expected = sizes_[kAxis];
  if (expected == kFreeAxis) {
    expected = static_cast<std::int64_t>(size);
  }
  if (static_cast<std::size_t>(expected) != size) {
    return fail(cursor.at(), kAxis);
  }
  column_.reserve(size);
  std::size_t next = 0;
  for (const auto& [key, at] : cells) {
    column_.addZeros(key - next);
    cursor.seek(at);
    if (!column_.readOne(cursor)) {
      within(key);
      return fail(at, sizes_.size());
    }
    next = key + 1;
  }
  column_.addZeros(size - next);
  return true;
}

std::optional<Error> NestedReader::learnSizes(Cursor cursor, std::size_t axis, const Place& place) {
  std::vector<std::size_t> indices(axis, 0);
  for (; axis < sizes_.size(); ++axis) {
    if (cursor.peek() != Kind::kArray) {
      return badInput(place.path(indices),
                      "an array for axis " + std::to_string(axis) + " of " + specText(spec_),
                      describe(cursor));
    }
    const std::size_t count = countElements(cursor);
    const std::int64_t fixed = spec_.shape[axis];
    if (fixed != kFreeAxis && static_cast<std::size_t>(fixed) != count) {
      return badInput(place.path(indices),
                      std::to_string(fixed) + " values along axis " + std::to_string(axis) +
                          " of " + specText(spec_),
                      std::to_string(count));
    }
    sizes_[axis] = static_cast<std::int64_t>(count);
    if (count == 0) {
      break;
    }
    cursor.take('[');
    indices.push_back(0);
  }
  std::ranges::replace(sizes_, kFreeAxis, 0);  // below an empty axis nothing tells it
  return std::nullopt;
}

Error NestedReader::failure(Cursor cursor, const Place& place) const {
  cursor.seek(failedAt_);
  const std::vector<std::size_t> indices(indices_.rbegin(), indices_.rend());
  if (failedAxis_ == sizes_.size()) {
    return badInput(place.path(indices),
                    std::string(expectedElement(spec_.type)) + " for " + specText(spec_),
                    describe(cursor));
  }
  return badInput(place.path(indices),
                  "an array of " + std::to_string(sizes_[failedAxis_]) + " (axis " +
                      std::to_string(failedAxis_) + " of shape " + dimsText(sizes_) + ")",
                  describe(cursor));
}

Tensor NestedReader::finish() && {
  std::ranges::replace(sizes_, kFreeAxis, 0);
  return std::move(column_).finish(std::move(sizes_));
}

std::optional<Tensor> tryNested(Cursor& cursor, const TensorSpec& spec) {
  NestedReader reader(spec, spec.shape);
  if (!reader.read(cursor)) {
    return std::nullopt;
  }
  return std::move(reader).finish();
}

Result<Tensor> readNested(Cursor cursor, const TensorSpec& spec, const Place& place) {
  NestedReader reader(spec, spec.shape);
  if (auto wrong = reader.learnSizes(cursor, 0, place)) {
    return *std::move(wrong);
  }
  if (!reader.read(cursor)) {
    return reader.failure(cursor, place);
  }
  return std::move(reader).finish();
}

std::optional<Tensor> tryShaped(Cursor& cursor, const TensorSpec& spec, const Shape& shape) {
  if (isNested(cursor, shape)) {
    NestedReader reader(spec, shape);
    return reader.read(cursor) ? std::optional(std::move(reader).finish()) : std::nullopt;
  }
  Column column(spec.type);
  const auto count = elementCount(shape);
  if (!count.ok() || !cursor.take('[') || !column.readRest(cursor) ||
      column.size() != count.value()) {
    return std::nullopt;
  }
  return std::move(column).finish(shape);
}

Result<Tensor> readShaped(Cursor cursor, const TensorSpec& spec, const Shape& shape,
                          const Place& place) {
  if (cursor.peek() != Kind::kArray) {
    return badInput(place.path({}), "an array of elements for " + specText(spec), describe(cursor));
  }
  if (isNested(cursor, shape)) {
    NestedReader reader(spec, shape);
    return reader.read(cursor) ? Result<Tensor>(std::move(reader).finish())
                               : reader.failure(cursor, place);
  }
  const auto count = elementCount(shape);
  const std::size_t given = countElements(cursor);
  if (!count.ok() || given != count.value()) {
    const std::string expected = count.ok() ? std::to_string(count.value()) : "far more";
    return badInput(place.path({}), expected + " elements for shape " + dimsText(shape),
                    std::to_string(given));
  }
  NestedReader reader(spec, {static_cast<std::int64_t>(given)});
  if (!reader.read(cursor)) {
    return reader.failure(cursor, place);
  }
  Tensor tensor = std::move(reader).finish();
  tensor.shape = shape;
  return tensor;
}

}  // namespace infer::codec
