// SPDX-License-Identifier: Apache-2.0
// One walk over the inputs of a V2 request.
#include "native/codec/v2_entries.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/cursor.h"
#include "native/codec/nested.h"
#include "native/codec/number.h"
#include "native/codec/schema.h"
#include "native/codec/text.h"

namespace infer::codec {
namespace {

// The largest axis the library takes.
constexpr std::int64_t kMaxAxis = std::numeric_limits<std::int32_t>::max();

}  // namespace

std::size_t findSpec(Cursor cursor, std::span<const TensorSpec> specs) {
  std::string scratch;
  std::string_view name;
  if (cursor.peek() != Kind::kString || !cursor.readString(name, scratch)) {
    return kNowhere;
  }
  const auto spec = std::ranges::find(specs, name, &TensorSpec::name);
  return spec == specs.end() ? kNowhere : static_cast<std::size_t>(spec - specs.begin());
}

std::string pathOf(std::string_view list, std::size_t index, std::string_view member) {
  return indexed(list, index).append(member);
}

Cursor V2Entries::cursorAt(std::size_t at) const {
  Cursor cursor = text_;
  cursor.seek(at);
  return cursor;
}

std::string V2Entries::got(std::size_t at) const {
  return at == kNowhere ? "nothing" : describe(cursorAt(at));
}

bool V2Entries::walk(Cursor& cursor) {
  isArray_ = cursor.peek() == Kind::kArray;
  at_ = cursor.at();
  entries_.clear();
  if (!isArray_) {
    return cursor.skip(1);
  }
  return eachElement(cursor, [&] {
    return entries_.size() > schema_.inputs.size() ? cursor.skip(2) : walkEntry(cursor);
  });
}

bool V2Entries::walkEntry(Cursor& cursor) {
  Entry& entry = entries_.emplace_back();
  entry.isObject = cursor.peek() == Kind::kObject;
  entry.at = cursor.at();
  if (!entry.isObject) {
    return cursor.skip(2);
  }
  return eachMember(cursor, [&](std::string_view member) {
    std::size_t* const places[] = {&entry.name, &entry.datatype, &entry.shape, &entry.parameters};
    constexpr std::string_view kMembers[] = {"name", "datatype", "shape", "parameters"};
    if (member == "data") {
      return walkData(cursor, entry);
    }
    for (std::size_t i = 0; i < std::size(kMembers); ++i) {
      if (member == kMembers[i]) {
        if (*places[i] != kNowhere) {
          entry.tensor.reset();  // it was read by what no longer counts
        }
        *places[i] = cursor.at();
      }
    }
    return cursor.skip(3);
  });
}

bool V2Entries::walkData(Cursor& cursor, Entry& entry) {
  const bool first = entry.data == kNowhere;
  entry.data = cursor.at();
  entry.tensor.reset();
  const std::size_t input = first ? inputOf(entry) : kNowhere;
  if (input != kNowhere && hasDatatype(entry, schema_.inputs[input])) {
    const TensorSpec& spec = schema_.inputs[input];
    if (const auto shape = shapeOf(entry, spec, 0); shape.ok()) {
      entry.tensor = tryShaped(cursor, spec, shape.value());
    }
  }
  if (!entry.tensor) {
    cursor.seek(entry.data);
  }
  return entry.tensor || cursor.skip(3);
}

std::size_t V2Entries::inputOf(const Entry& entry) const {
  return entry.name == kNowhere ? kNowhere : findSpec(cursorAt(entry.name), schema_.inputs);
}

bool V2Entries::hasDatatype(const Entry& entry, const TensorSpec& spec) const {
  if (entry.datatype == kNowhere) {
    return false;
  }
  Cursor cursor = cursorAt(entry.datatype);
  std::string scratch;
  std::string_view name;
  return cursor.readString(name, scratch) && name == datatypeOf(spec.type);
}

Result<Shape> V2Entries::shapeOf(const Entry& entry, const TensorSpec& spec,
                                 std::size_t index) const {
  const std::string where = pathOf("inputs", index, ".shape");
  if (entry.shape == kNowhere || cursorAt(entry.shape).peek() != Kind::kArray) {
    return badInput(where, "an array of integers", got(entry.shape));
  }
  Cursor cursor = cursorAt(entry.shape);
  if (const std::size_t axes = countElements(cursor); axes != spec.shape.size()) {
    return badInput(where, std::to_string(spec.shape.size()) + " axes for " + specText(spec),
                    std::to_string(axes));
  }
  Shape shape;
  shape.reserve(spec.shape.size());
  std::optional<Error> wrong;
  eachElement(cursor, [&] {
    const auto size = axisOf(cursor, spec, where, shape.size());
    if (!size.ok()) {
      wrong = size.error();
      return false;
    }
    shape.push_back(size.value());
    return cursor.skip(0);
  });
  return wrong ? Result<Shape>(*std::move(wrong)) : Result<Shape>(std::move(shape));
}

// An axis longer than the body has bytes is a lie, also where an empty axis beside it makes the
// tensor empty.
Result<std::int64_t> V2Entries::axisOf(Cursor cursor, const TensorSpec& spec,
                                       const std::string& where, std::size_t axis) const {
  const std::int64_t fixed = spec.shape[axis];
  const auto wrong = [&](const std::string& expected) {
    return badInput(indexed(where, axis), expected, describe(cursor));
  };
  Number number;
  std::int64_t size = 0;
  Cursor reader = cursor;
  if (reader.peek() != Kind::kNumber || !reader.readNumber(number) || !toInteger(number, size) ||
      size < 0 || size > kMaxAxis) {
    return wrong("an integer from 0 to " + std::to_string(kMaxAxis));
  }
  if (fixed != kFreeAxis && size != fixed) {
    return wrong(std::to_string(fixed) + " for " + specText(spec));
  }
  if (fixed == kFreeAxis && static_cast<std::size_t>(size) > bodyBytes_) {
    return wrong("at most " + std::to_string(bodyBytes_) + ", the bytes of the body");
  }
  return size;
}

}  // namespace infer::codec
