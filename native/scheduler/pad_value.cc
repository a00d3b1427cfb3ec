// SPDX-License-Identifier: Apache-2.0
// One number in the bytes of every element type.
#include "native/scheduler/pad_value.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>

#include "native/base/tensor.h"

namespace infer {
namespace {

template <typename T>
Element bytesOf(T value) {
  Element bytes{};
  std::memcpy(bytes.data(), &value, sizeof(value));
  return bytes;
}

// A whole number that T holds.
template <typename T>
std::optional<Element> integerOf(double value) {
  // Both bounds as powers of two, which a double holds exactly.
  const double beyond = std::ldexp(1, std::numeric_limits<T>::digits);
  const double least = std::numeric_limits<T>::is_signed ? -beyond : 0;
  if (value != std::floor(value) || value < least || value >= beyond) {
    return std::nullopt;
  }
  return bytesOf(static_cast<T>(value));
}

// A 16-bit float of so many bits of fraction, rounded to nearest, ties to even.
// @source IEEE 754-2019, 3.4: below the least normal exponent the fraction loses its leading one,
//         which continues the encoding without a gap.
std::optional<Element> smallFloatOf(double value, int fractionBits, int leastExponent) {
  const auto shift = static_cast<std::uint32_t>(fractionBits);
  const double size = std::abs(value);
  const int exponent = size == 0 ? leastExponent : std::max(std::ilogb(size), leastExponent);
  const auto scaled =
      static_cast<std::uint32_t>(std::nearbyint(std::ldexp(size, fractionBits - exponent)));
  const std::uint32_t bits =
      (static_cast<std::uint32_t>(exponent - leastExponent) << shift) + scaled;
  const auto infinity = static_cast<std::uint32_t>(2 - 2 * leastExponent + 1) << shift;
  constexpr std::uint32_t kSign = 0x8000U;
  if (bits >= infinity) {
    return std::nullopt;
  }
  return bytesOf(static_cast<std::uint16_t>(bits | (std::signbit(value) ? kSign : 0U)));
}

}  // namespace

std::optional<Element> elementOf(double value, ElementType type) {
  switch (type) {
    case ElementType::kFloat32:
      return std::abs(value) <= std::numeric_limits<float>::max()
                 ? std::optional(bytesOf(static_cast<float>(value)))
                 : std::nullopt;
    case ElementType::kFloat64:
      return bytesOf(value);
    case ElementType::kFloat16:
      return smallFloatOf(value, 10, -14);
    case ElementType::kBFloat16:
      return smallFloatOf(value, 7, -126);
    case ElementType::kInt8:
      return integerOf<std::int8_t>(value);
    case ElementType::kInt16:
      return integerOf<std::int16_t>(value);
    case ElementType::kInt32:
      return integerOf<std::int32_t>(value);
    case ElementType::kInt64:
      return integerOf<std::int64_t>(value);
    case ElementType::kUInt8:
      return integerOf<std::uint8_t>(value);
    case ElementType::kUInt16:
      return integerOf<std::uint16_t>(value);
    case ElementType::kUInt32:
      return integerOf<std::uint32_t>(value);
    case ElementType::kUInt64:
      return integerOf<std::uint64_t>(value);
    case ElementType::kBool:
      return value == 0 || value == 1 ? integerOf<std::uint8_t>(value) : std::nullopt;
    case ElementType::kString:
      break;
  }
  return std::nullopt;
}

}  // namespace infer
