// SPDX-License-Identifier: Apache-2.0
// Checking and making UTF-8.
#include "native/codec/utf8.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace infer::codec {
namespace {

constexpr std::uint32_t kReplacement = 0xfffd;

// Bytes of `text` up to the first that is not ASCII, or a few less.
std::size_t asciiPrefix(std::string_view text) {
  constexpr std::uint64_t kHighBits = 0x8080'8080'8080'8080;
  std::size_t at = 0;
  for (std::uint64_t word = 0; at + sizeof(word) <= text.size(); at += sizeof(word)) {
    std::memcpy(&word, text.data() + at, sizeof(word));
    if ((word & kHighBits) != 0) {
      return at;
    }
  }
  return at;
}

bool isContinuation(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xc0U) == 0x80U;
}

}  // namespace

bool isAscii(std::string_view text) {
  for (std::size_t at = asciiPrefix(text); at < text.size(); ++at) {
    if (static_cast<unsigned char>(text[at]) >= 0x80) {
      return false;
    }
  }
  return true;
}

std::size_t sequenceLength(std::string_view text) {
  if (text.empty()) {
    return 0;
  }
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) {
    return 1;
  }
  const auto second = text.size() > 1 ? static_cast<unsigned char>(text[1]) : 0U;
  if (first >= 0xc2 && first <= 0xdf) {
    return isContinuation(text, 1) ? 2 : 0;
  }
  if (first >= 0xe0 && first <= 0xef) {
    const bool overlong = first == 0xe0 && second < 0xa0;
    const bool surrogate = first == 0xed && second > 0x9f;
    return isContinuation(text, 1) && isContinuation(text, 2) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool overlong = first == 0xf0 && second < 0x90;
    const bool beyond = first == 0xf4 && second > 0x8f;
    return isContinuation(text, 1) && isContinuation(text, 2) && isContinuation(text, 3) &&
                   !overlong && !beyond
               ? 4
               : 0;
  }
  return 0;
}

bool isUtf8(std::string_view text) {
  while (!text.empty()) {
    text.remove_prefix(asciiPrefix(text));
    // Up to where another run of ASCII is worth looking for.
    for (std::size_t taken = 0; taken < sizeof(std::uint64_t) && !text.empty();) {
      const std::size_t length = sequenceLength(text);
      if (length == 0) {
        return false;
      }
      text.remove_prefix(length);
      taken += length;
    }
  }
  return true;
}

std::string toUtf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = sequenceLength(text);
    if (length == 0) {
      appendCodePoint(out, kReplacement);
    }
    out += text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return out;
}

void appendCodePoint(std::string& out, std::uint32_t point) {
  const auto tail = [&out](std::uint32_t bits) {
    out += static_cast<char>(0x80U | (bits & 0x3fU));
  };
  if (point >= 0xd800 && point <= 0xdfff) {
    point = kReplacement;
  }
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xc0U | (point >> 6U));
    tail(point);
  } else if (point < 0x10000) {
    out += static_cast<char>(0xe0U | (point >> 12U));
    tail(point >> 6U);
    tail(point);
  } else {
    out += static_cast<char>(0xf0U | (point >> 18U));
    tail(point >> 12U);
    tail(point >> 6U);
    tail(point);
  }
}

}  // namespace infer::codec
