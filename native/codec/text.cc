// SPDX-License-Identifier: Apache-2.0
// Quoting, and descriptions of what came.
#include "native/codec/text.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/cursor.h"
#include "native/codec/number.h"
#include "native/codec/utf8.h"

namespace infer::codec {
namespace {

constexpr std::size_t kLongestText = 60;
constexpr std::size_t kMostNames = 20;

bool isPlain(char c) {
  return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
}

void appendEscape(std::string& out, char c) {
  constexpr std::string_view kShort = "\"\\\b\f\n\r\t";
  constexpr std::string_view kLetters = "\"\\bfnrt";
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '\\';
  if (const std::size_t at = kShort.find(c); at != std::string_view::npos) {
    out += kLetters[at];
    return;
  }
  out += "u00";
  out += kHex[static_cast<unsigned char>(c) >> 4U];
  out += kHex[static_cast<unsigned char>(c) & 0xfU];
}

std::string describeNumber(const Number& number) {
  if (number.text.find_first_of(".eE") == std::string_view::npos && number.exact) {
    return std::string(number.text);
  }
  const double value = toDouble(number);
  std::string text;
  appendNumber(text, value);
  return std::isfinite(value) ? text : "a number beyond float64";
}

}  // namespace

void appendQuoted(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto plain =
        static_cast<std::size_t>(std::ranges::find_if_not(text, isPlain) - text.begin());
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (!text.empty()) {
      appendEscape(out, text.front());
      text.remove_prefix(1);
    }
  }
  out += '"';
}

std::string shortened(std::string_view text) {
  std::size_t end = 0;
  for (std::size_t i = 0; i < kLongestText && end < text.size(); ++i) {
    end += std::max<std::size_t>(sequenceLength(text.substr(end)), 1);
  }
  return std::string(text.substr(0, end)) + (end < text.size() ? "..." : "");
}

std::string quote(std::string_view text) {
  std::string out;
  appendQuoted(out, shortened(text));
  return out;
}

std::string quoteAll(std::span<const std::string_view> names) {
  if (names.empty()) {
    return "none";
  }
  std::string out;
  for (const std::string_view name : names.first(std::min(names.size(), kMostNames))) {
    out += out.empty() ? "" : ", ";
    out += quote(name);
  }
  if (names.size() > kMostNames) {
    out += " and " + std::to_string(names.size() - kMostNames) + " more";
  }
  return out;
}

std::vector<std::string_view> namesOf(std::span<const TensorSpec> specs) {
  std::vector<std::string_view> names;
  for (const TensorSpec& spec : specs) {
    names.emplace_back(spec.name);
  }
  return names;
}

std::string dimsText(std::span<const std::int64_t> dims) {
  std::string text = "[";
  for (const std::int64_t dim : dims) {
    text += text.size() > 1 ? ", " : "";
    text += std::to_string(dim);
  }
  return text + "]";
}

std::string specText(const TensorSpec& spec) {
  return quote(spec.name) + " (" + std::string(elementTypeInfo(spec.type).name) + " " +
         dimsText(spec.shape) + ")";
}

std::string describe(Cursor cursor) {
  std::string scratch;
  std::string_view text;
  Number number;
  switch (cursor.peek()) {
    case Kind::kObject:
      return "an object";
    case Kind::kArray:
      return "an array of " + std::to_string(countElements(cursor));
    case Kind::kString:
      cursor.readString(text, scratch);
      return "the string " + quote(text);
    case Kind::kNumber:
      return cursor.readNumber(number) ? describeNumber(number) : "a number that is not finite";
    case Kind::kTrue:
      return "true";
    case Kind::kFalse:
      return "false";
    case Kind::kNull:
      return "null";
    case Kind::kNone:
      break;
  }
  return "nothing";
}

std::size_t countElements(Cursor cursor) {
  std::size_t count = 0;
  eachElement(cursor, [&] {
    ++count;
    return cursor.skip(0);
  });
  return count;
}

std::string indexed(std::string_view path, std::size_t index) {
  std::string text(path);
  return text.append("[").append(std::to_string(index)).append("]");
}

Error answerTooLarge(std::size_t maxBytes, std::size_t bytes) {
  return badInput(
      "body",
      "rows whose answer has at most " + std::to_string(maxBytes) + " bytes (maxResponseBytes)",
      "rows whose answer has about " + std::to_string(bytes));
}

Error badInput(std::string_view where, std::string_view expected, std::string_view got) {
  std::string message(where);
  message.append(": expected ").append(expected).append(", got ").append(got);
  return {ErrorCode::kBadInput, std::move(message), {}};
}

}  // namespace infer::codec
