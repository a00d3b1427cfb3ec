// SPDX-License-Identifier: Apache-2.0
// Decimal to binary and back. The common cases are exact in one operation of floating point; the
// rest goes to the standard library.
#include "native/codec/number.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>

namespace infer::codec {
namespace {

// Powers of ten that a float64 holds exactly.
constexpr std::array<double, 23> kPowersOfTen = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

// Beyond any type, and far from what a sum of two could overflow.
constexpr std::int64_t kHugeExponent = 1'000'000'000'000'000;

constexpr std::uint16_t kSign = 0x8000;  // of a 16-bit float

int biasOf(const SmallFloat& layout) {
  return static_cast<int>(1U << (layout.exponentBits - 1U)) - 1;
}

// Both factors are exact, so that the result is rounded once. Source: W. D. Clinger, How to read
// floating point numbers accurately (1990).
bool quickDouble(const Number& number, double& value) {
  constexpr std::uint64_t kExactIntegers = std::uint64_t{1} << 53U;
  constexpr auto kMost = static_cast<std::int64_t>(kPowersOfTen.size()) - 1;
  if (!number.exact || number.digits > kExactIntegers || number.exponent > kMost ||
      number.exponent < -kMost) {
    return false;
  }
  const auto digits = static_cast<double>(number.digits);
  value = number.exponent < 0 ? digits / kPowersOfTen[static_cast<std::size_t>(-number.exponent)]
                              : digits * kPowersOfTen[static_cast<std::size_t>(number.exponent)];
  value = number.negative ? -value : value;
  return true;
}

// The significant digits: without sign, point, exponent and zeros around them; `exponent` is of
// the last one.
std::string significant(const Number& number, std::int64_t& exponent) {
  exponent = number.exponent;
  std::string digits;
  for (const char c : number.text.substr(0, number.text.find_first_of("eE"))) {
    if (isDigit(c) && !(digits.empty() && c == '0')) {
      digits += c;
    }
  }
  while (!digits.empty() && digits.back() == '0') {
    digits.pop_back();
    ++exponent;
  }
  return digits;
}

template <typename T>
T parse(const Number& number) {
  T value = 0;
  const auto [end, code] =
      std::from_chars(number.text.data(), number.text.data() + number.text.size(), value);
  if (code == std::errc::result_out_of_range) {  // says neither which end of the range
    std::int64_t exponent = 0;
    const std::string digits = significant(number, exponent);
    const bool large = exponent + static_cast<std::int64_t>(digits.size()) > 0;
    value = large && !digits.empty() ? std::numeric_limits<T>::infinity() : 0;
    value = number.negative ? -value : value;
  }
  return value;
}

// Digits d.ddd of a number and its decimal exponent, as JavaScript lays them out. Source: ECMA-262,
// Number::toString.
void appendDigits(std::string& out, std::string_view digits, int exponent) {
  const int count = static_cast<int>(digits.size());
  const int point = exponent + 1;  // digits before the point
  if (point > 21 || point <= -6) {
    out += digits.front();
    if (count > 1) {
      out += '.';
      out += digits.substr(1);
    }
    out += exponent < 0 ? "e-" : "e+";
    out += std::to_string(std::abs(exponent));
  } else if (point <= 0) {
    out += "0.";
    out.append(static_cast<std::size_t>(-point), '0');
    out += digits;
  } else if (point >= count) {
    out += digits;
    out.append(static_cast<std::size_t>(point - count), '0');
  } else {
    out += digits.substr(0, static_cast<std::size_t>(point));
    out += '.';
    out += digits.substr(static_cast<std::size_t>(point));
  }
}

template <typename T>
void append(std::string& out, T value) {
  constexpr T kSmallInteger = 10'000'000;
  std::array<char, 40> text;
  if (!std::isfinite(value)) {
    out += std::isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity";
    return;
  }
  if (std::signbit(value)) {
    out += '-';
    value = -value;
  }
  if (value < kSmallInteger && static_cast<T>(static_cast<std::int32_t>(value)) == value) {
    const auto end =
        std::to_chars(text.data(), text.data() + text.size(), static_cast<std::int32_t>(value)).ptr;
    out.append(text.data(), end);
    return;
  }
  char* const end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific)
          .ptr;
  char* const mark = std::find(text.data(), end, 'e');
  int exponent = 0;
  std::from_chars(mark[1] == '+' ? mark + 2 : mark + 1, end, exponent);
  char* last = mark;
  if (mark - text.data() > 1) {  // d.ddd: the first digit takes the place of the point
    text[1] = text[0];
    appendDigits(out, {text.data() + 1, last}, exponent);
  } else {
    appendDigits(out, {text.data(), last}, exponent);
  }
}

}  // namespace

const char* scanExponent(const char* at, const char* end, std::int64_t& exponent) {
  const bool negative = at != end && *at == '-';
  if (at != end && (*at == '-' || *at == '+')) {
    ++at;
  }
  const char* const first = at;
  std::int64_t value = 0;
  for (; at != end && isDigit(*at); ++at) {
    value = std::min(value * 10 + (*at - '0'), kHugeExponent);
  }
  exponent += negative ? -value : value;
  return at == first ? nullptr : at;
}

double toDouble(const Number& number) {
  double value = 0;
  return quickDouble(number, value) ? value : parse<double>(number);
}

float toFloat(const Number& number) {
  // A float64 that was rounded half-way between two float32 would be rounded twice.
  constexpr std::uint64_t kBelowFloat = 0x1fff'ffff;
  constexpr std::uint64_t kHalfWay = 0x1000'0000;
  double value = 0;
  if (quickDouble(number, value) &&
      (std::bit_cast<std::uint64_t>(value) & kBelowFloat) != kHalfWay) {
    const double size = std::fabs(value);
    if (size == 0 || (size >= static_cast<double>(std::numeric_limits<float>::min()) &&
                      size <= static_cast<double>(std::numeric_limits<float>::max()))) {
      return static_cast<float>(value);
    }
  }
  return parse<float>(number);
}

bool toMagnitude(const Number& number, std::uint64_t& magnitude) {
  constexpr std::int64_t kMostDigits = 20;
  if (number.exact && number.exponent == 0) {
    magnitude = number.digits;
    return true;
  }
  std::int64_t exponent = 0;
  std::string digits = significant(number, exponent);
  if (digits.empty()) {
    magnitude = 0;
    return true;
  }
  if (exponent < 0 || static_cast<std::int64_t>(digits.size()) + exponent > kMostDigits) {
    return false;
  }
  digits.append(static_cast<std::size_t>(exponent), '0');
  return std::from_chars(digits.data(), digits.data() + digits.size(), magnitude).ec == std::errc{};
}

std::uint16_t toSmallFloat(const SmallFloat& layout, double value) {
  const std::uint16_t sign = std::signbit(value) ? kSign : 0;
  const double size = std::fabs(value);
  if (size == 0) {
    return sign;
  }
  const auto infinity = static_cast<double>(infinityOf(layout));
  const int bias = biasOf(layout);
  const int exponent = std::clamp(std::ilogb(size), 1 - bias, bias + 1);
  const auto fractionBits = static_cast<int>(layout.fractionBits);
  // Exact, as only a power of two divides; rounded to even once.
  const double units = std::nearbyint(std::ldexp(size, fractionBits - exponent));
  // Units of 2^fractionBits and more carry into the exponent field by themselves.
  const double bits = std::ldexp(exponent + bias - 1, fractionBits) + units;
  return static_cast<std::uint16_t>(sign + static_cast<std::uint16_t>(std::min(bits, infinity)));
}

float fromSmallFloat(const SmallFloat& layout, std::uint16_t bits) {
  const unsigned size = bits & (kSign - 1U);
  const unsigned fraction = size & ((1U << layout.fractionBits) - 1U);
  const unsigned field = size >> layout.fractionBits;
  float value = 0;
  if (size >= infinityOf(layout)) {
    value = fraction == 0 ? std::numeric_limits<float>::infinity()
                          : std::numeric_limits<float>::quiet_NaN();
  } else {
    const unsigned units = field == 0 ? fraction : fraction + (1U << layout.fractionBits);
    const int exponent = static_cast<int>(std::max(field, 1U)) - biasOf(layout) -
                         static_cast<int>(layout.fractionBits);
    value = std::ldexp(static_cast<float>(units), exponent);
  }
  return (bits & kSign) != 0 ? -value : value;
}

void appendNumber(std::string& out, float value) {
  append(out, value);
}

void appendNumber(std::string& out, double value) {
  append(out, value);
}

}  // namespace infer::codec
