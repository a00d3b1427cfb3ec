// SPDX-License-Identifier: Apache-2.0
// Strings, words and whole values of a JSON text.
#include "native/codec/cursor.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "native/codec/number.h"
#include "native/codec/utf8.h"

namespace infer::codec {
namespace {

// -1 for what is no hexadecimal digit.
int hexValue(char c) {
  if (isDigit(c)) {
    return c - '0';
  }
  if (c >= 'a' && c <= 'f') {
    return c - 'a' + 10;
  }
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

// The four digits of a \u; -1 when they are none.
std::int32_t hexFour(std::string_view text) {
  std::int32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const int digit = i < text.size() ? hexValue(text[i]) : -1;
    if (digit < 0) {
      return -1;
    }
    value = value * 16 + digit;
  }
  return value;
}

constexpr std::string_view kEscapes = "\"\\/bfnrt";
constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";

// Appends what the \u escape at the start of `raw` stands for; its length, which is that of two
// where they are a pair of surrogates. A surrogate alone becomes U+FFFD.
std::size_t appendUnicode(std::string& out, std::string_view raw) {
  const auto unit = static_cast<std::uint32_t>(hexFour(raw.substr(2)));
  if (unit >= 0xd800 && unit <= 0xdbff && raw.substr(6, 2) == "\\u") {
    const auto low = static_cast<std::uint32_t>(hexFour(raw.substr(8)));
    if (low >= 0xdc00 && low <= 0xdfff) {
      appendCodePoint(out, 0x10000 + ((unit - 0xd800) << 10U) + (low - 0xdc00));
      return 12;
    }
  }
  appendCodePoint(out, unit);
  return 6;
}

// `raw` has been passed, so its escapes are right.
void unescape(std::string_view raw, std::string& out) {
  out.clear();
  while (!raw.empty()) {
    const std::size_t plain = raw.find('\\');
    out += raw.substr(0, plain);
    if (plain == std::string_view::npos) {
      return;
    }
    raw.remove_prefix(plain);
    if (raw[1] == 'u') {
      raw.remove_prefix(appendUnicode(out, raw));
    } else {
      out += kMeanings[kEscapes.find(raw[1])];
      raw.remove_prefix(2);
    }
  }
}

}  // namespace

Kind Cursor::peek() {
  skipSpace();
  if (at_ == end_) {
    return Kind::kNone;
  }
  switch (*at_) {
    case '{':
      return Kind::kObject;
    case '[':
      return Kind::kArray;
    case '"':
      return Kind::kString;
    case 't':
      return Kind::kTrue;
    case 'f':
      return Kind::kFalse;
    case 'n':
      return Kind::kNull;
    case 'N':
    case 'I':
      return numbers_ == Numbers::kWithWords ? Kind::kNumber : Kind::kNone;
    default:
      return isDigit(*at_) || *at_ == '-' ? Kind::kNumber : Kind::kNone;
  }
}

bool Cursor::fail() {
  mistake_ = at();
  return false;
}

bool Cursor::passString(bool& escaped) {
  const char* const start = at_;
  escaped = false;
  if (at_ == end_ || *at_ != '"') {
    return fail();
  }
  for (++at_; at_ != end_; ++at_) {
    if (*at_ == '"') {
      ++at_;
      return true;
    }
    if (static_cast<unsigned char>(*at_) < 0x20) {
      break;
    }
    if (*at_ != '\\') {
      continue;
    }
    escaped = true;
    if (++at_ == end_) {
      break;
    }
    if (*at_ == 'u' && hexFour({at_ + 1, left() - 1}) >= 0) {
      at_ += 4;
    } else if (kEscapes.find(*at_) == std::string_view::npos) {
      break;
    }
  }
  at_ = start;
  return fail();
}

bool Cursor::readString(std::string_view& value, std::string& scratch) {
  skipSpace();
  const char* const start = at_;
  bool escaped = false;
  if (!passString(escaped)) {
    return false;
  }
  value = {start + 1, static_cast<std::size_t>(at_ - start) - 2};
  if (escaped) {
    unescape(value, scratch);
    value = scratch;
  }
  return true;
}

bool Cursor::readWord(std::string_view word) {
  skipSpace();
  if (left() < word.size() || std::memcmp(at_, word.data(), word.size()) != 0 ||
      (left() > word.size() && continuesToken(at_[word.size()]))) {
    return fail();
  }
  at_ += word.size();
  return true;
}

bool Cursor::readNumberWord(double& value) {
  if (numbers_ != Numbers::kWithWords) {
    return false;
  }
  const char* const start = at_;
  const bool negative = take('-');
  if (at_ != end_ && *at_ == 'I' && readWord("Infinity")) {
    value = std::numeric_limits<double>::infinity() * (negative ? -1 : 1);
    return true;
  }
  if (!negative && readWord("NaN")) {
    value = std::numeric_limits<double>::quiet_NaN();
    return true;
  }
  at_ = start;
  return false;
}

bool Cursor::passScalar() {
  bool escaped = false;
  Number number;
  double word = 0;
  switch (peek()) {
    case Kind::kString:
      return passString(escaped);
    case Kind::kNumber:
      return readNumber(number) || readNumberWord(word) || fail();
    case Kind::kTrue:
      return readWord("true");
    case Kind::kFalse:
      return readWord("false");
    case Kind::kNull:
      return readWord("null");
    default:
      return fail();
  }
}

bool Cursor::skip(std::size_t depth) {
  std::array<char, kMaxDepth> closing;  // of what is open, outermost first
  std::size_t open = 0;
  const auto passKey = [this] {
    bool escaped = false;
    skipSpace();
    return passString(escaped) && (take(':') || fail());
  };
  for (;;) {
    // A value, or the end of an array or object that has none.
    const Kind kind = peek();
    if (kind == Kind::kArray || kind == Kind::kObject) {
      if (depth + open >= kMaxDepth) {
        tooDeep_ = true;
        return fail();
      }
      closing[open++] = kind == Kind::kArray ? ']' : '}';
      ++at_;
      if (!take(closing[open - 1])) {
        if (kind == Kind::kObject && !passKey()) {
          return false;
        }
        continue;
      }
      --open;
    } else if (!passScalar()) {
      return false;
    }
    // Behind a value: what it ends, up to the next one.
    while (open > 0 && take(closing[open - 1])) {
      --open;
    }
    if (open == 0) {
      return true;
    }
    if (!take(',')) {
      return fail();
    }
    if (closing[open - 1] == '}' && !passKey()) {
      return false;
    }
  }
}

}  // namespace infer::codec
