// SPDX-License-Identifier: Apache-2.0
// One loop for each element type.
#include "native/codec/column.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "native/base/tensor.h"
#include "native/codec/cursor.h"
#include "native/codec/number.h"

namespace infer::codec {
namespace {

// In the order of ElementType.
constexpr std::array<std::string_view, kElementTypes.size()> kExpected = {
    "a finite number within float32",
    "a finite number within float64",
    "a finite number within float16",
    "a finite number within bfloat16",
    "an integer from -128 to 127",
    "an integer from -32768 to 32767",
    "an integer from -2147483648 to 2147483647",
    "an integer from -9223372036854775808 to 9223372036854775807",
    "an integer from 0 to 255",
    "an integer from 0 to 65535",
    "an integer from 0 to 4294967295",
    "an integer from 0 to 18446744073709551615",
    "true, false, 1 or 0",
    "a string",
};

template <typename T>
bool readWord(Cursor& cursor, T& value) {
  double word = 0;
  const bool isRead = cursor.readNumberWord(word);
  value = static_cast<T>(word);
  return isRead;
}

bool readElement(Cursor& cursor, float& value) {
  Number number;
  if (!cursor.readNumber(number)) {
    return readWord(cursor, value);
  }
  value = toFloat(number);
  return std::isfinite(value);
}

bool readElement(Cursor& cursor, double& value) {
  Number number;
  if (!cursor.readNumber(number)) {
    return readWord(cursor, value);
  }
  value = toDouble(number);
  return std::isfinite(value);
}

template <typename T>
bool readElement(Cursor& cursor, T& value) {
  Number number;
  return cursor.readNumber(number) && toInteger(number, value);
}

bool readSmallFloat(Cursor& cursor, const SmallFloat& layout, std::uint16_t& bits) {
  double value = 0;
  if (!readElement(cursor, value)) {
    return false;
  }
  bits = toSmallFloat(layout, value);
  return (bits & 0x7fffU) < infinityOf(layout);
}

bool readBool(Cursor& cursor, std::uint8_t& value) {
  switch (cursor.peek()) {
    case Kind::kTrue:
      value = 1;
      return cursor.readWord("true");
    case Kind::kFalse:
      value = 0;
      return cursor.readWord("false");
    default:
      return readElement(cursor, value) && value <= 1;
  }
}

}  // namespace

std::string_view expectedElement(ElementType type) {
  return kExpected[static_cast<std::size_t>(type)];
}

// Room for one more. An element takes two bytes of text at least, so the first guess is never far
// beyond what a short text holds.
template <typename T>
T* Column::room(const Cursor& cursor) {
  constexpr std::size_t kFirstGuess = 4096;
  if (size_ == capacity_) {
    const std::size_t most = size_ + cursor.left() / 2 + 1;
    grow(std::min(std::max(kFirstGuess, capacity_ * 2), most));
  }
  return reinterpret_cast<T*>(bytes_.data());
}

void Column::grow(std::size_t capacity) {
  const std::size_t each = elementTypeInfo(type_).bytes;
  const Bytes grown = Bytes::allocate(capacity * each);
  if (size_ > 0) {
    std::memcpy(grown.data(), bytes_.data(), size_ * each);
  }
  bytes_ = grown;
  capacity_ = capacity;
}

void Column::reserve(std::size_t elements) {
  if (type_ != ElementType::kString && size_ + elements > capacity_) {
    grow(std::max(size_ + elements, capacity_ * 2));
  }
}

void Column::addZeros(std::size_t count) {
  const std::size_t each = elementTypeInfo(type_).bytes;
  if (count == 0) {
    return;
  }
  reserve(count);
  std::memset(bytes_.data() + size_ * each, 0, count * each);
  size_ += count;
}

bool Column::addFloat(double special) {
  const auto small = [special](const SmallFloat& layout) {
    const auto quiet = static_cast<std::uint16_t>(1U << (layout.fractionBits - 1U));
    return std::isnan(special) ? static_cast<std::uint16_t>(infinityOf(layout) | quiet)
                               : toSmallFloat(layout, special);
  };
  const auto add = [this](auto value) {
    reserve(1);
    std::memcpy(bytes_.data() + size_ * sizeof(value), &value, sizeof(value));
    ++size_;
    return true;
  };
  switch (type_) {
    case ElementType::kFloat32:
      return add(static_cast<float>(special));
    case ElementType::kFloat64:
      return add(special);
    case ElementType::kFloat16:
      return add(small(kHalf));
    case ElementType::kBFloat16:
      return add(small(kBrain));
    default:
      return false;
  }
}

void Column::addString(std::string_view text) {
  strings_.emplace_back(text);
  ++size_;
}

template <bool kAll, typename T, typename ReadOne>
bool Column::readInto(Cursor& cursor, ReadOne element) {
  T* values = room<T>(cursor);
  do {
    if (size_ == capacity_) {
      values = room<T>(cursor);
    }
    cursor.skipSpace();
    const std::size_t start = cursor.at();
    if (!element(cursor, values[size_])) {
      cursor.seek(start);
      return false;
    }
    ++size_;
  } while (kAll && cursor.take(','));
  return !kAll || cursor.take(']');
}

template <bool kAll>
bool Column::read(Cursor& cursor) {
  const auto plain = [](Cursor& at, auto& value) { return readElement(at, value); };
  const auto half = [](Cursor& at, std::uint16_t& bits) { return readSmallFloat(at, kHalf, bits); };
  const auto brain = [](Cursor& at, std::uint16_t& bits) {
    return readSmallFloat(at, kBrain, bits);
  };
  switch (type_) {
    case ElementType::kFloat32:
      return readInto<kAll, float>(cursor, plain);
    case ElementType::kFloat64:
      return readInto<kAll, double>(cursor, plain);
    case ElementType::kFloat16:
      return readInto<kAll, std::uint16_t>(cursor, half);
    case ElementType::kBFloat16:
      return readInto<kAll, std::uint16_t>(cursor, brain);
    case ElementType::kInt8:
      return readInto<kAll, std::int8_t>(cursor, plain);
    case ElementType::kInt16:
      return readInto<kAll, std::int16_t>(cursor, plain);
    case ElementType::kInt32:
      return readInto<kAll, std::int32_t>(cursor, plain);
    case ElementType::kInt64:
      return readInto<kAll, std::int64_t>(cursor, plain);
    case ElementType::kUInt8:
      return readInto<kAll, std::uint8_t>(cursor, plain);
    case ElementType::kUInt16:
      return readInto<kAll, std::uint16_t>(cursor, plain);
    case ElementType::kUInt32:
      return readInto<kAll, std::uint32_t>(cursor, plain);
    case ElementType::kUInt64:
      return readInto<kAll, std::uint64_t>(cursor, plain);
    case ElementType::kBool:
      return readInto<kAll, std::uint8_t>(cursor, readBool);
    case ElementType::kString:
      return readStrings<kAll>(cursor);
  }
  return false;
}

template <bool kAll>
bool Column::readStrings(Cursor& cursor) {
  std::string scratch;
  do {
    cursor.skipSpace();
    const std::size_t start = cursor.at();
    std::string_view text;
    if (!cursor.readString(text, scratch)) {
      cursor.seek(start);
      return false;
    }
    strings_.emplace_back(text);
    ++size_;
  } while (kAll && cursor.take(','));
  return !kAll || cursor.take(']');
}

bool Column::readOne(Cursor& cursor) {
  return read<false>(cursor);
}

bool Column::readRest(Cursor& cursor) {
  return cursor.take(']') || read<true>(cursor);
}

Tensor Column::finish(Shape shape) && {
  const std::size_t bytes = size_ * elementTypeInfo(type_).bytes;
  if (bytes_.data() == nullptr) {
    bytes_ = Bytes::allocate(0);
  }
  return {.type = type_,
          .shape = std::move(shape),
          .bytes = bytes_.slice(0, bytes),
          .strings = std::move(strings_)};
}

}  // namespace infer::codec
