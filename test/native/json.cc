// SPDX-License-Identifier: Apache-2.0
// A recursive reader, after RFC 8259.
#include "test/native/json.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace test {
namespace {

void appendUtf8(std::string& out, std::uint32_t point) {
  const auto byte = [&out](std::uint32_t value) { out += static_cast<char>(value); };
  if (point < 0x80) {
    byte(point);
  } else if (point < 0x800) {
    byte(0xC0 + point / 64);
    byte(0x80 + point % 64);
  } else if (point < 0x10000) {
    byte(0xE0 + point / 4096);
    byte(0x80 + point / 64 % 64);
    byte(0x80 + point % 64);
  } else {
    byte(0xF0 + point / 262144);
    byte(0x80 + point / 4096 % 64);
    byte(0x80 + point / 64 % 64);
    byte(0x80 + point % 64);
  }
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Json whole() {
    Json value = read();
    require(text_.find_first_not_of(" \t\r\n", at_) == std::string_view::npos, "the end");
    return value;
  }

 private:
  void require(bool holds, std::string_view what) const {
    if (!holds) {
      throw std::runtime_error("JSON: expected " + std::string(what) + " at " +
                               std::to_string(at_));
    }
  }

  // The next character that is not blank, which stays unread.
  char peek() {
    at_ = std::min(text_.find_first_not_of(" \t\r\n", at_), text_.size());
    require(at_ < text_.size(), "more");
    return text_[at_];
  }

  // Reads `word` if it comes next.
  bool accept(std::string_view word) {
    peek();
    const bool there = text_.substr(at_, word.size()) == word;
    at_ += there ? word.size() : 0;
    return there;
  }

  Json read() {
    switch (peek()) {
      case '{':
        return readObject();
      case '[':
        return readArray();
      case '"':
        return Json{.kind = Json::Kind::kString, .text = readString()};
      default:
        break;
    }
    if (accept("true")) {
      return Json{.kind = Json::Kind::kBool, .number = 1};
    }
    if (accept("false")) {
      return Json{.kind = Json::Kind::kBool};
    }
    if (accept("null")) {
      return Json{};
    }
    Json value{.kind = Json::Kind::kNumber};
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value.number);
    require(error == std::errc(), "a value");
    at_ += static_cast<std::size_t>(end - begin);
    return value;
  }

  Json readObject() {
    Json object{.kind = Json::Kind::kObject};
    accept("{");
    while (!accept("}")) {
      require(object.members.empty() || accept(","), "a comma or the end of the object");
      require(peek() == '"', "a name");
      std::string name = readString();
      require(accept(":"), "a colon");
      object.members.emplace_back(std::move(name), read());
    }
    return object;
  }

  Json readArray() {
    Json array{.kind = Json::Kind::kArray};
    accept("[");
    while (!accept("]")) {
      require(array.items.empty() || accept(","), "a comma or the end of the array");
      array.items.push_back(read());
    }
    return array;
  }

  std::string readString() {
    std::string out;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
        readEscape(out);
      } else {
        out += text_[at_];
      }
    }
    require(at_ < text_.size(), "the end of the string");
    ++at_;
    return out;
  }

  void readEscape(std::string& out) {
    constexpr std::string_view names = "\"\\/bfnrt";
    constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
    require(at_ < text_.size(), "an escape");
    if (text_[at_] != 'u') {
      const std::size_t which = names.find(text_[at_]);
      require(which != std::string_view::npos, "a known escape");
      out += meanings[which];
      return;
    }
    std::uint32_t point = readUnit();
    if (point >= 0xD800 && point < 0xDC00) {  // the first of a surrogate pair
      require(text_.substr(at_ + 1, 2) == "\\u", "the second of the pair");
      at_ += 2;
      point = 0x10000 + (point - 0xD800) * 1024 + (readUnit() - 0xDC00);
    }
    appendUtf8(out, point);
  }

  // The four digits behind an u; leaves the last of them as the character that was read.
  std::uint32_t readUnit() {
    std::uint32_t unit = 0;
    const std::string_view digits = text_.substr(at_ + 1, 4);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), unit, 16);
    require(error == std::errc() && end == digits.data() + 4, "four digits");
    at_ += 4;
    return unit;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

const Json* Json::find(std::string_view name) const {
  const auto at = std::ranges::find(
      members, name, [](const auto& member) -> std::string_view { return member.first; });
  return at == members.end() ? nullptr : &at->second;
}

const Json& Json::at(std::string_view name) const {
  const Json* found = find(name);
  if (found == nullptr) {
    throw std::out_of_range("JSON: no member " + std::string(name));
  }
  return *found;
}

Json parseJson(std::string_view text) {
  return Reader(text).whole();
}

}  // namespace test
