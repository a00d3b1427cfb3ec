// SPDX-License-Identifier: Apache-2.0
// Keys beside values, put in order.
#include "native/codec/sparse_row.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/codec/cursor.h"
#include "native/codec/nested.h"
#include "native/codec/number.h"
#include "native/codec/text.h"

namespace infer::codec {
namespace {

constexpr std::uint64_t kMostElements = 0x7fff'ffff;  // of an axis, as everywhere

// A whole number from 0 to `most`.
bool readIndex(Cursor& cursor, std::uint64_t most, std::size_t& index) {
  Number number;
  std::uint64_t value = 0;
  if (!cursor.readNumber(number) || !toInteger(number, value) || value > most) {
    return false;
  }
  index = static_cast<std::size_t>(value);
  return true;
}

std::optional<Error> readShape(Cursor shape, const std::string& path, std::size_t& size) {
  const bool isArray = shape.peek() == Kind::kArray;
  Cursor at = shape;
  if (!isArray || countElements(shape) != 1 || !at.take('[') ||
      !readIndex(at, kMostElements, size)) {
    return badInput(path + ".shape",
                    "an array of one integer from 0 to " + std::to_string(kMostElements),
                    describe(shape));
  }
  return std::nullopt;
}

std::optional<Error> readKeys(Cursor keys, const std::string& path, VectorRow& row) {
  if (keys.peek() != Kind::kArray) {
    return badInput(path + ".keys", "an array of integers", describe(keys));
  }
  std::optional<Error> wrong;
  eachElement(keys, [&] {
    SparseCell cell{};
    Cursor at = keys;
    if (row.size == 0 || !readIndex(at, row.size - 1, cell.key)) {
      wrong = badInput(indexed(path + ".keys", row.cells.size()),
                       "an integer from 0 to below " + std::to_string(row.size) + " (shape)",
                       describe(keys));
      return false;
    }
    row.cells.push_back(cell);
    return keys.skip(0);
  });
  return wrong;
}

// Joins the values with their keys.
std::optional<Error> readValues(Cursor values, const std::string& path, VectorRow& row) {
  const std::size_t count = countElements(values);
  if (count != row.cells.size()) {
    return badInput(path + ".values", std::to_string(row.cells.size()) + " values as in keys",
                    std::to_string(count));
  }
  std::size_t next = 0;
  eachElement(values, [&] {
    row.cells[next++].at = values.at();
    return values.skip(0);
  });
  std::ranges::sort(row.cells, {}, &SparseCell::key);
  const auto twice = std::ranges::adjacent_find(row.cells, {}, &SparseCell::key);
  if (twice != row.cells.end()) {
    return badInput(path + ".keys", "each key once", std::to_string(twice->key) + " twice");
  }
  return std::nullopt;
}

}  // namespace

Result<VectorRow> readVectorRow(Cursor object, const std::string& path) {
  VectorRow row;
  std::size_t keys = kNowhere;
  std::size_t shape = kNowhere;
  Cursor members = object;
  eachMember(members, [&](std::string_view name) {
    if (name == "values") {
      row.values = members.at();
    } else if (name == "keys") {
      keys = members.at();
    } else if (name == "shape") {
      shape = members.at();
    }
    return members.skip(0);
  });
  const auto at = [object](std::size_t place) {
    Cursor cursor = object;
    cursor.seek(place);
    return cursor;
  };
  if (row.values == kNowhere || at(row.values).peek() != Kind::kArray) {
    return badInput(path + ".values", "an array",
                    row.values == kNowhere ? "nothing" : describe(at(row.values)));
  }
  if (keys == kNowhere) {
    return row;
  }
  row.isSparse = true;
  if (shape == kNowhere) {
    return badInput(path + ".shape", "an array of one integer beside keys", "nothing");
  }
  auto wrong = readShape(at(shape), path, row.size);
  if (!wrong) {
    wrong = readKeys(at(keys), path, row);
  }
  if (!wrong) {
    wrong = readValues(at(row.values), path, row);
  }
  if (wrong) {
    return *std::move(wrong);
  }
  return row;
}

}  // namespace infer::codec
