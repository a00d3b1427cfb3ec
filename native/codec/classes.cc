// SPDX-License-Identifier: Apache-2.0
// Ranks each row by its own type, so that 64-bit integers keep their order.
#include "native/codec/classes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/number.h"
#include "native/codec/schema.h"
#include "native/codec/text.h"

namespace infer::codec {
namespace {

// As many classes a row may have; ranking more would keep a lane for long.
constexpr std::size_t kMostClasses = 1'000'000;

// `10.000000:2:cat`. Source: Triton's classification extension: floats have six decimals.
template <typename T>
std::string classText(T value, std::size_t index, std::span<const std::string> labels) {
  std::array<char, 384> digits;  // the largest double has 309 before its point
  char* const end = digits.data() + digits.size();
  std::to_chars_result written{};
  if constexpr (std::is_floating_point_v<T>) {
    written = std::to_chars(digits.data(), end, value, std::chars_format::fixed, 6);
  } else {
    written = std::to_chars(digits.data(), end, value);
  }
  std::string text(digits.data(), written.ptr);
  text.append(":").append(std::to_string(index));
  if (index < labels.size()) {
    text.append(":").append(labels[index]);
  }
  return text;
}

template <typename T>
bool isBetter(T left, T right, std::size_t leftIndex, std::size_t rightIndex) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(left) || std::isnan(right)) {
      return std::isnan(left) == std::isnan(right) ? leftIndex < rightIndex : std::isnan(right);
    }
  }
  return left == right ? leftIndex < rightIndex : left > right;
}

// `at(index)`: the score of a class. Appends the best `count`.
template <typename At>
void rankRow(std::vector<std::string>& out, std::size_t classes, std::size_t count, At at,
             std::span<const std::string> labels) {
  std::vector<std::size_t> order(classes);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::partial_sort(order, order.begin() + static_cast<std::ptrdiff_t>(count),
                            [&at](std::size_t left, std::size_t right) {
                              return isBetter(at(left), at(right), left, right);
                            });
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back(classText(at(order[i]), order[i], labels));
  }
}

struct Rows {
  std::size_t count;    // of rows
  std::size_t classes;  // of each
  std::size_t best;     // that are named of each
};

template <typename T, typename Value>
std::vector<std::string> rankAll(const Tensor& scores, const Rows& rows,
                                 std::span<const std::string> labels, Value value) {
  std::vector<std::string> texts;
  const auto* const all = reinterpret_cast<const T*>(scores.bytes.data());
  for (std::size_t row = 0; row < rows.count; ++row) {
    const T* const first = all + row * rows.classes;
    rankRow(texts, rows.classes, rows.best, [&](std::size_t i) { return value(first[i]); }, labels);
  }
  return texts;
}

std::vector<std::string> rankByType(const Tensor& scores, const Rows& rows,
                                    std::span<const std::string> labels) {
  const auto same = [](auto value) { return value; };
  const auto half = [](std::uint16_t bits) { return fromSmallFloat(kHalf, bits); };
  const auto brain = [](std::uint16_t bits) { return fromSmallFloat(kBrain, bits); };
  switch (scores.type) {
    case ElementType::kFloat32:
      return rankAll<float>(scores, rows, labels, same);
    case ElementType::kFloat64:
      return rankAll<double>(scores, rows, labels, same);
    case ElementType::kFloat16:
      return rankAll<std::uint16_t>(scores, rows, labels, half);
    case ElementType::kBFloat16:
      return rankAll<std::uint16_t>(scores, rows, labels, brain);
    case ElementType::kInt8:
      return rankAll<std::int8_t>(scores, rows, labels, same);
    case ElementType::kInt16:
      return rankAll<std::int16_t>(scores, rows, labels, same);
    case ElementType::kInt32:
      return rankAll<std::int32_t>(scores, rows, labels, same);
    case ElementType::kInt64:
      return rankAll<std::int64_t>(scores, rows, labels, same);
    case ElementType::kUInt8:
      return rankAll<std::uint8_t>(scores, rows, labels, same);
    case ElementType::kUInt16:
      return rankAll<std::uint16_t>(scores, rows, labels, same);
    case ElementType::kUInt32:
      return rankAll<std::uint32_t>(scores, rows, labels, same);
    case ElementType::kUInt64:
      return rankAll<std::uint64_t>(scores, rows, labels, same);
    case ElementType::kBool:
    case ElementType::kString:
      break;
  }
  return {};  // never: canRank()
}

}  // namespace

bool canRank(ElementType type) {
  return type != ElementType::kBool && type != ElementType::kString;
}

Result<Tensor> bestClasses(const Tensor& scores, const Ranking& ranking) {
  if (!canRank(scores.type)) {
    return Error{ErrorCode::kBadInput,
                 "class result not available for output due to unsupported type '" +
                     std::string(datatypeOf(scores.type)) + "'",
                 {}};
  }
  const bool inRows = ranking.inRows && !scores.shape.empty();
  const std::span<const std::int64_t> dims(scores.shape);
  const auto classes = elementCount(dims.subspan(inRows ? 1 : 0));
  if (!classes.ok()) {
    return classes.error();
  }
  if (classes.value() > kMostClasses) {
    return badInput("classification",
                    "a row of at most " + std::to_string(kMostClasses) + " values",
                    std::to_string(classes.value()));
  }
  const auto count =
      static_cast<std::size_t>(std::min<std::uint64_t>(ranking.count, classes.value()));
  const Rows rows{.count = inRows ? static_cast<std::size_t>(dims[0]) : 1,
                  .classes = classes.value(),
                  .best = count};
  Shape shape;
  if (inRows) {
    shape.push_back(dims[0]);
  }
  shape.push_back(static_cast<std::int64_t>(count));
  return Tensor{.type = ElementType::kString,
                .shape = std::move(shape),
                .bytes = Bytes::allocate(0),
                .strings = rankByType(scores, rows, ranking.labels)};
}

}  // namespace infer::codec
