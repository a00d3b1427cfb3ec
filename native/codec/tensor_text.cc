// SPDX-License-Identifier: Apache-2.0
// One loop for each element type, and nesting around it.
#include "native/codec/tensor_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "native/base/tensor.h"
#include "native/codec/number.h"
#include "native/codec/text.h"
#include "native/codec/utf8.h"

namespace infer::codec {
namespace {

// A range of elements of one tensor.
struct Range {
  std::size_t start;
  std::size_t size;
};

std::size_t countOf(const Tensor& tensor) {
  return tensor.type == ElementType::kString
             ? tensor.strings.size()
             : tensor.bytes.size() / elementTypeInfo(tensor.type).bytes;
}

template <typename T>
void appendInteger(std::string& out, T value) {
  std::array<char, 24> text;
  out.append(text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr);
}

template <typename T, typename Append>
void appendEach(std::string& out, const Tensor& tensor, Range range, Append append) {
  const std::span all(reinterpret_cast<const T*>(tensor.bytes.data()), countOf(tensor));
  bool first = true;
  for (const T value : all.subspan(range.start, range.size)) {
    if (!first) {
      out += ',';
    }
    first = false;
    append(out, value);
  }
}

void appendStrings(std::string& out, const Tensor& tensor, Range range) {
  for (std::size_t at = range.start; at < range.start + range.size; ++at) {
    const std::string& text = tensor.strings[at];
    out += at == range.start ? "" : ",";
    appendQuoted(out, isUtf8(text) ? text : toUtf8(text));
  }
}

bool needsQuotes(std::string_view text) {
  return text.empty() || text.front() == ' ' || text.back() == ' ' ||
         text.find_first_of(",\"\r\n") != std::string_view::npos;
}

// Source: RFC 4180. An empty cell is in quotes, so that it is not taken for a blank line.
void appendCells(std::string& out, const Tensor& tensor, Range range) {
  for (std::size_t at = range.start; at < range.start + range.size; ++at) {
    const std::string& raw = tensor.strings[at];
    const std::string text = isUtf8(raw) ? raw : toUtf8(raw);
    out += at == range.start ? "" : ",";
    if (!needsQuotes(text)) {
      out += text;
      continue;
    }
    out += '"';
    for (const char c : text) {
      out.append(c == '"' ? 2 : 1, c);
    }
    out += '"';
  }
}

enum class Style : std::uint8_t { kJson, kCsv };

template <Style kStyle, typename T>
void appendReal(std::string& out, T value) {
  if (kStyle == Style::kCsv && !std::isfinite(value)) {
    out += std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
  } else {
    appendNumber(out, value);
  }
}

// The elements with commas between them.
template <Style kStyle>
void appendElements(std::string& out, const Tensor& tensor, Range range) {
  const auto number = [](std::string& to, auto value) { appendReal<kStyle>(to, value); };
  const auto integer = [](std::string& to, auto value) { appendInteger(to, value); };
  const auto half = [](std::string& to, std::uint16_t bits) {
    appendReal<kStyle>(to, fromSmallFloat(kHalf, bits));
  };
  const auto brain = [](std::string& to, std::uint16_t bits) {
    appendReal<kStyle>(to, fromSmallFloat(kBrain, bits));
  };
  const auto truth = [](std::string& to, std::uint8_t value) {
    constexpr bool kPython = kStyle == Style::kCsv;
    to += value == 0 ? (kPython ? "False" : "false") : (kPython ? "True" : "true");
  };
  switch (tensor.type) {
    case ElementType::kFloat32:
      return appendEach<float>(out, tensor, range, number);
    case ElementType::kFloat64:
      return appendEach<double>(out, tensor, range, number);
    case ElementType::kFloat16:
      return appendEach<std::uint16_t>(out, tensor, range, half);
    case ElementType::kBFloat16:
      return appendEach<std::uint16_t>(out, tensor, range, brain);
    case ElementType::kInt8:
      return appendEach<std::int8_t>(out, tensor, range, integer);
    case ElementType::kInt16:
      return appendEach<std::int16_t>(out, tensor, range, integer);
    case ElementType::kInt32:
      return appendEach<std::int32_t>(out, tensor, range, integer);
    case ElementType::kInt64:
      return appendEach<std::int64_t>(out, tensor, range, integer);
    case ElementType::kUInt8:
      return appendEach<std::uint8_t>(out, tensor, range, integer);
    case ElementType::kUInt16:
      return appendEach<std::uint16_t>(out, tensor, range, integer);
    case ElementType::kUInt32:
      return appendEach<std::uint32_t>(out, tensor, range, integer);
    case ElementType::kUInt64:
      return appendEach<std::uint64_t>(out, tensor, range, integer);
    case ElementType::kBool:
      return appendEach<std::uint8_t>(out, tensor, range, truth);
    case ElementType::kString:
      return kStyle == Style::kCsv ? appendCells(out, tensor, range)
                                   : appendStrings(out, tensor, range);
  }
}

// Entry `row` of axis 0.
Range rangeOf(const Tensor& tensor, std::int64_t row) {
  const std::size_t size = countOf(tensor) / static_cast<std::size_t>(tensor.shape[0]);
  return {.start = static_cast<std::size_t>(row) * size, .size = size};
}

// The part of the tensor behind the axes before `axis`.
void appendAxis(std::string& out, const Tensor& tensor, std::size_t axis, Range range) {
  if (axis == tensor.shape.size()) {
    appendElements<Style::kJson>(out, tensor, range);
    return;
  }
  out += '[';
  if (axis + 1 == tensor.shape.size()) {
    appendElements<Style::kJson>(out, tensor, range);
  } else {
    const auto length = static_cast<std::size_t>(tensor.shape[axis]);
    for (std::size_t at = 0; at < length; ++at) {
      const std::size_t step = range.size / length;
      out += at == 0 ? "" : ",";
      appendAxis(out, tensor, axis + 1, {.start = range.start + at * step, .size = step});
    }
  }
  out += ']';
}

}  // namespace

// About as many bytes as an element takes, with its comma: a float32 has up to 9 digits, a float64
// up to 17.
std::size_t textBytes(const Tensor& tensor) {
  switch (tensor.type) {
    case ElementType::kFloat64:
    case ElementType::kInt64:
    case ElementType::kUInt64:
      return countOf(tensor) * 20;
    case ElementType::kFloat32:
      return countOf(tensor) * 12;
    case ElementType::kBool:
      return countOf(tensor) * 6;
    case ElementType::kString:
      break;
    default:
      return countOf(tensor) * 8;
  }
  std::size_t bytes = 0;
  for (const std::string& text : tensor.strings) {
    bytes += text.size() + 3;
  }
  return bytes;
}

void appendFlat(std::string& out, const Tensor& tensor) {
  out += '[';
  appendElements<Style::kJson>(out, tensor, {.start = 0, .size = countOf(tensor)});
  out += ']';
}

void appendNested(std::string& out, const Tensor& tensor) {
  appendAxis(out, tensor, 0, {.start = 0, .size = countOf(tensor)});
}

void appendRow(std::string& out, const Tensor& tensor, std::int64_t row) {
  appendAxis(out, tensor, 1, rangeOf(tensor, row));
}

void appendCsvRow(std::string& out, const Tensor& tensor, std::int64_t row) {
  appendElements<Style::kCsv>(out, tensor, rangeOf(tensor, row));
}

}  // namespace infer::codec
