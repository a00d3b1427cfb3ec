// SPDX-License-Identifier: Apache-2.0
// A place in a JSON text, and steps over what stands there. Every step checks what it passes, so a
// text that was walked to its end is JSON. Threads: a value; any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "native/codec/number.h"

namespace infer::codec {

// Deepest nesting of arrays and objects; the same as Triton's, far above any tensor's rank.
inline constexpr std::size_t kMaxDepth = 100;

// The place of a member that did not come.
inline constexpr std::size_t kNowhere = std::string_view::npos;

enum class Kind : std::uint8_t {
  kObject,
  kArray,
  kString,
  kNumber,
  kTrue,
  kFalse,
  kNull,
  kNone,  // nothing that a value begins with
};

// Whether the words `NaN`, `Infinity` and `-Infinity` count as numbers, which they are not in JSON,
// but for clients of Triton.
enum class Numbers : std::uint8_t { kFinite, kWithWords };

class Cursor {
 public:
  // `text` is UTF-8 and outlives the cursor.
  explicit Cursor(std::string_view text, std::size_t at = 0, Numbers numbers = Numbers::kFinite)
      : begin_(text.data()), at_(begin_ + at), end_(begin_ + text.size()), numbers_(numbers) {}

  std::size_t at() const { return static_cast<std::size_t>(at_ - begin_); }
  void seek(std::size_t at) { at_ = begin_ + at; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  void skipSpace() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) {
      ++at_;
    }
  }
  // What begins here, behind white space.
  Kind peek();
  bool atEnd() {
    skipSpace();
    return at_ == end_;
  }
  // Steps over white space and, if it is next, `c`.
  bool take(char c) {
    skipSpace();
    if (at_ == end_ || *at_ != c) {
      return false;
    }
    ++at_;
    return true;
  }

  // These step over one value, behind white space, or return false and stay somewhere before or in
  // it. A string is a view of the text, or of `scratch` when it had escapes.
  bool readNumber(Number& number) {
    skipSpace();
    const char* const behind = scanNumber(at_, end_, number);
    at_ = behind == nullptr ? at_ : behind;
    return behind != nullptr;
  }
  // The words that count as numbers.
  bool readNumberWord(double& value);
  bool readString(std::string_view& value, std::string& scratch);
  bool readWord(std::string_view word);  // true, false, null
  // Any value; `depth`: how many arrays and objects are open around it.
  bool skip(std::size_t depth);

  // After skip() has failed: where the token begins that cannot stand there, or where nesting
  // became too deep.
  std::size_t mistake() const { return mistake_; }
  bool isTooDeep() const { return tooDeep_; }

 private:
  // Steps over a string, quotes included; true in `escaped` when it has a backslash.
  bool passString(bool& escaped);
  bool passScalar();
  bool fail();

  const char* begin_;
  const char* at_;
  const char* end_;
  Numbers numbers_;
  std::size_t mistake_ = 0;
  bool tooDeep_ = false;
};

// Steps over an array; `onElement` has to step over each of its elements.
template <typename OnElement>
bool eachElement(Cursor& cursor, OnElement&& onElement) {
  if (!cursor.take('[')) {
    return false;
  }
  if (cursor.take(']')) {
    return true;
  }
  do {
    cursor.skipSpace();
    if (!onElement()) {
      return false;
    }
  } while (cursor.take(','));
  return cursor.take(']');
}

// Steps over an object; `onMember(name)` has to step over the value of each of its members.
template <typename OnMember>
bool eachMember(Cursor& cursor, OnMember&& onMember) {
  if (!cursor.take('{')) {
    return false;
  }
  if (cursor.take('}')) {
    return true;
  }
  std::string scratch;
  std::string_view name;
  do {
    if (!cursor.readString(name, scratch) || !cursor.take(':')) {
      return false;
    }
    cursor.skipSpace();
    if (!onMember(name)) {
      return false;
    }
  } while (cursor.take(','));
  return cursor.take('}');
}

}  // namespace infer::codec
