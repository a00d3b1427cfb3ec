// SPDX-License-Identifier: Apache-2.0
// Decimal to binary and back, against the C library and exhaustively where that is possible.
#include <array>
#include <bit>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <string_view>

#include "native/codec/number.h"
#include "test/native/check.h"

namespace {

using infer::codec::Number;

Number scan(std::string_view text) {
  Number number;
  check::that(infer::codec::scanNumber(text.data(), text.data() + text.size(), number) ==
                  text.data() + text.size(),
              std::string(text) + " to be a number");
  return number;
}

// Bit by bit; the C library rounds correctly (glibc since 2.17).
void expectAsStrtod(const std::string& text) {
  const Number number = scan(text);
  const float single = std::strtof(text.c_str(), nullptr);
  const double twice = std::strtod(text.c_str(), nullptr);
  check::that(std::bit_cast<std::uint32_t>(infer::codec::toFloat(number)) ==
                  std::bit_cast<std::uint32_t>(single),
              "the float32 of " + text);
  check::that(std::bit_cast<std::uint64_t>(infer::codec::toDouble(number)) ==
                  std::bit_cast<std::uint64_t>(twice),
              "the float64 of " + text);
}

// Halves between two float32, or just beside them, where rounding to float64 first would be wrong;
// the ends of the ranges; more digits than 64 bits hold.
const char* const kHard[] = {
    "0",
    "-0",
    "0.0",
    "-0e99",
    "1e-400",
    "-1e-400",
    "1e400",
    "1e-99999999999999999999",
    "16777217",
    "16777217.0000000001",
    "16777216.9999999999",
    "1.00000005960464477539062500",
    "1.000000059604644775390625000001",
    "1.00000017881393432617187499999",
    "3.4028235677973366e38",
    "3.4028235677973365e38",
    "3.4028234e38",
    "1.401298464324817e-45",
    "7.006492321624085e-46",
    "7.006492321624086e-46",
    "1.1754943e-38",
    "1.1754942e-38",
    "1.7976931348623157e308",
    "1.7976931348623159e308",
    "4.9406564584124654e-324",
    "2.4703282292062328e-324",
    "9007199254740993",
    "9007199254740993e22",
    "9007199254740992e23",
    "123456789012345678901234567890",
    "0.000000000000000000000000000000000000000000000000000001",
    "12345678901234567890.5",
    "9999999999999999999",
    "99999999999999999999",
    "8.5070591730234615847396907784e37",
};
const check::Add kHardCases("numbers are rounded correctly where it is hard", [] {
  for (const char* text : kHard) {
    expectAsStrtod(text);
  }
});

const check::Add kRandom("numbers are rounded correctly wherever they are", [] {
  std::mt19937_64 random(1);  // NOLINT(bugprone-random-generator-seed): the same every time
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t bits = random();
    const auto digits = static_cast<int>(bits % 20);
    std::array<char, 64> text{};
    if (i % 2 == 0) {
      std::snprintf(
          text.data(), text.size(), "%.*e", digits,
          static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(random()))));
    } else {
      std::snprintf(text.data(), text.size(), "%.*e", digits, std::bit_cast<double>(random()));
    }
    if (std::isdigit(static_cast<unsigned char>(text[text[0] == '-' ? 1 : 0])) != 0) {
      expectAsStrtod(text.data());
    }
  }
});

template <typename T>
std::string textOf(T value) {
  std::string out;
  infer::codec::appendNumber(out, value);
  return out;
}

struct DigitCase {
  const char* name;
  float value;
};

// Source: what JavaScript writes for a float64 of so many digits (ECMA-262, Number::toString).
constexpr DigitCase kDigits[] = {
    {"0.1", 0.1F},
    {"0.33333334", 1.0F / 3},
    {"16777216", 16777216.0F},
    {"3.4028235e+38", std::numeric_limits<float>::max()},
    {"1e-45", std::numeric_limits<float>::denorm_min()},
    {"1.1754944e-38", std::numeric_limits<float>::min()},
    {"0.9993135", 0.9993135F},
    {"123456.79", 123456.789F},
    {"0", 0.0F},
    {"-0", -0.0F},
    {"-7", -7.0F},
    {"10000000000", 1e10F},
    {"100000000000000000000", 1e20F},
    {"1e+21", 1e21F},
    {"0.000001", 1e-6F},
    {"1e-7", 1e-7F},
    {"NaN", std::numeric_limits<float>::quiet_NaN()},
    {"Infinity", std::numeric_limits<float>::infinity()},
    {"-Infinity", -std::numeric_limits<float>::infinity()},
};
const check::AddEach kWritten(kDigits, [](const DigitCase& row) {
  check::equal(textOf(row.value), row.name, "the digits");
});

const check::Add kBack("what is written gives the same number back", [] {
  std::mt19937_64 random(2);  // NOLINT(bugprone-random-generator-seed): the same every time
  for (int i = 0; i < 200'000; ++i) {
    const auto single = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    const auto twice = std::bit_cast<double>(random());
    if (std::isfinite(single)) {
      check::that(std::strtof(textOf(single).c_str(), nullptr) == single, textOf(single));
    }
    if (std::isfinite(twice)) {
      check::that(std::strtod(textOf(twice).c_str(), nullptr) == twice, textOf(twice));
    }
  }
});

const check::Add kSmall("16-bit floats survive both ways, all 65536 of them", [] {
  for (const auto& layout : {infer::codec::kHalf, infer::codec::kBrain}) {
    for (std::uint32_t bits = 0; bits < 65536; ++bits) {
      const float value = infer::codec::fromSmallFloat(layout, static_cast<std::uint16_t>(bits));
      if (!std::isnan(value)) {
        check::that(infer::codec::toSmallFloat(layout, value) == bits, "bits of " + textOf(value));
      }
    }
  }
});

struct HalfCase {
  const char* name;
  double value;
  std::uint16_t bits;
};

// IEEE 754-2019: binary16 has 11 bits of precision, largest 65504, smallest 2^-24; ties go to even.
constexpr HalfCase kHalves[] = {
    {"one", 1, 0x3c00},
    {"the largest", 65504, 0x7bff},
    {"beyond the largest by half a step", 65520, 0x7c00},
    {"far beyond it", 1e300, 0x7c00},
    {"the smallest", 0x1p-24, 0x0001},
    {"half of the smallest", 0x1p-25, 0x0000},
    {"a tie to the even below", 1 + 0x1p-11, 0x3c00},
    {"a tie to the even above", 1 + 3 * 0x1p-11, 0x3c02},
    {"minus two", -2, 0xc000},
    {"minus zero", -0.0, 0x8000},
};
const check::AddEach kRounded(kHalves, [](const HalfCase& row) {
  check::equal(infer::codec::toSmallFloat(infer::codec::kHalf, row.value), row.bits, "the bits");
});

}  // namespace
