// SPDX-License-Identifier: Apache-2.0
// One number of a JSON text: its scan, which follows RFC 8259 to the letter, and its value as each
// element type. Threads: pure functions; any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>

namespace infer::codec {

struct Number {
  std::uint64_t digits = 0;   // value = digits * 10^exponent, if `exact`
  std::int64_t exponent = 0;  // of the last digit of the text
  bool exact = false;         // all digits of the text fit
  bool negative = false;
  std::string_view text;
};

constexpr bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

// A letter, a digit, '_' or '.': what may not follow a number or a word without a gap.
constexpr bool continuesToken(char c) {
  return isDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.';
}

// The value of eight digits that follow each other, by adding neighbours: ones to tens, pairs to
// pairs, fours to fours. False when one of them is no digit. Little-endian, as every platform that
// Node runs on with this addon.
inline bool scanEight(const char* at, std::uint64_t& value) {
  constexpr std::uint64_t kZeros = 0x3030'3030'3030'3030;
  constexpr std::uint64_t kAboveNine =
      0x7676'7676'7676'7676;  // carries into the high bit from 10 on
  constexpr std::uint64_t kHighBits = 0x8080'8080'8080'8080;
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  word ^= kZeros;
  if ((((word & ~kHighBits) + kAboveNine) | word) & kHighBits) {
    return false;
  }
  word = (word * 10 + (word >> 8U)) & 0x00ff'00ff'00ff'00ffU;
  word = (word * 100 + (word >> 16U)) & 0x0000'ffff'0000'ffffU;
  value = (word * 10'000 + (word >> 32U)) & 0xffff'ffffU;
  return true;
}

// The digits from `at` on, appended to `digits`, which wraps when they are too many.
inline const char* scanDigits(const char* at, const char* end, std::uint64_t& digits) {
  while (at != end && isDigit(*at)) {
    digits = digits * 10 + static_cast<std::uint64_t>(*at++ - '0');
  }
  return at;
}

// `at` is behind the 'e'. The exponent is added to `exponent`; null when there is none.
const char* scanExponent(const char* at, const char* end, std::int64_t& exponent);

// Where the number that begins at `at` ends; null when none does.
inline const char* scanNumber(const char* at, const char* end, Number& number) {
  constexpr std::ptrdiff_t kSurelyFits = 19;  // digits of a 64-bit integer
  const char* const begin = at;
  number.negative = at != end && *at == '-';
  at += number.negative ? 1 : 0;
  const char* const first = at;
  number.digits = 0;
  number.exponent = 0;
  at = scanDigits(at, end, number.digits);
  std::ptrdiff_t count = at - first;
  if (count == 0 || (*first == '0' && count > 1)) {
    return nullptr;
  }
  if (at != end && *at == '.') {
    const char* const fraction = ++at;
    for (std::uint64_t eight = 0; end - at >= 8 && scanEight(at, eight); at += 8) {
      number.digits = number.digits * 100'000'000 + eight;
    }
    at = scanDigits(at, end, number.digits);
    if (at == fraction) {
      return nullptr;
    }
    number.exponent = fraction - at;
    count += at - fraction;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    at = scanExponent(at + 1, end, number.exponent);
  }
  if (at == nullptr || (at != end && continuesToken(*at))) {
    return nullptr;
  }
  number.exact = count <= kSurelyFits;
  number.text = {begin, static_cast<std::size_t>(at - begin)};
  return at;
}

// Correctly rounded; infinite for what is too large.
double toDouble(const Number& number);
float toFloat(const Number& number);

// The magnitude of a whole number below 2^64; false for any other.
bool toMagnitude(const Number& number, std::uint64_t& magnitude);

// False for what is no integer or out of range. 1.0 and 1e2 are integers.
template <typename T>
bool toInteger(const Number& number, T& value) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
  std::uint64_t magnitude = 0;
  if (!toMagnitude(number, magnitude)) {
    return false;
  }
  if (number.negative) {
    constexpr std::uint64_t kLeast = std::is_signed_v<T> ? kMost + 1 : 0;
    value = static_cast<T>(std::uint64_t{0} - magnitude);
    return magnitude <= kLeast;
  }
  value = static_cast<T>(magnitude);
  return magnitude <= kMost;
}

// Layout of a 16-bit float. Source: IEEE 754-2019 section 3.6 (binary16); bfloat16 is the top half
// of binary32.
struct SmallFloat {
  unsigned exponentBits;
  unsigned fractionBits;
};
inline constexpr SmallFloat kHalf{.exponentBits = 5, .fractionBits = 10};
inline constexpr SmallFloat kBrain{.exponentBits = 8, .fractionBits = 7};

// The 16 bits of the nearest value, ties to even; those of infinity for what is too large.
std::uint16_t toSmallFloat(const SmallFloat& layout, double value);
float fromSmallFloat(const SmallFloat& layout, std::uint16_t bits);
constexpr std::uint16_t infinityOf(const SmallFloat& layout) {
  return static_cast<std::uint16_t>(((1U << layout.exponentBits) - 1U) << layout.fractionBits);
}

// The fewest digits that give the number back, written as JavaScript writes numbers. NaN and
// infinities as `NaN`, `Infinity`, `-Infinity`: JSON has no word for them, and null would be
// another value.
void appendNumber(std::string& out, float value);
void appendNumber(std::string& out, double value);

}  // namespace infer::codec
