// SPDX-License-Identifier: Apache-2.0
// The elements of one tensor while they are read from JSON, with the range rules of each type.
// Threads: a value; any.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "native/base/tensor.h"
#include "native/codec/cursor.h"

namespace infer::codec {

class Column {
 public:
  // Grows as it is filled, so that a text which promises much and holds little costs little.
  explicit Column(ElementType type) : type_(type) {}

  // Steps over one element and appends it. False for what the type cannot hold: the cursor is then
  // where it begins.
  bool readOne(Cursor& cursor);
  // The same for the elements of an array behind its '[', and over its ']'.
  bool readRest(Cursor& cursor);

  // Room for so many more, where their text does not tell how many come.
  void reserve(std::size_t elements);
  // Appends so many zeros, to numbers only.
  void addZeros(std::size_t count);
  // Appends what JSON has no word for; false for a type without NaN and infinities.
  bool addFloat(double special);
  void addString(std::string_view text);

  std::size_t size() const { return size_; }
  Tensor finish(Shape shape) &&;

 private:
  template <bool kAll>
  bool read(Cursor& cursor);
  template <bool kAll, typename T, typename ReadOne>
  bool readInto(Cursor& cursor, ReadOne element);
  template <bool kAll>
  bool readStrings(Cursor& cursor);
  template <typename T>
  T* room(const Cursor& cursor);
  void grow(std::size_t capacity);

  ElementType type_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
  Bytes bytes_;
  std::vector<std::string> strings_;
};

// What a message calls a right element.
std::string_view expectedElement(ElementType type);

}  // namespace infer::codec
