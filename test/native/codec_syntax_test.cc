// SPDX-License-Identifier: Apache-2.0
// What is JSON and what is not: grammar, UTF-8, nesting, and where a text goes wrong.
#include <cstddef>
#include <string>
#include <string_view>

#include "native/base/tensor.h"
#include "native/codec/cursor.h"
#include "native/codec/utf8.h"
#include "test/native/check.h"
#include "test/native/codec_fixture.h"

namespace {

using infer::ElementType;
using infer::codec::Cursor;

std::string repeat(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) {
    all += text;
  }
  return all;
}

bool isJson(std::string_view text) {
  Cursor cursor(text);
  return cursor.skip(0) && cursor.atEnd();
}

// Source: RFC 8259.
constexpr std::string_view kTexts[] = {
    "0",
    "-0",
    "1.5",
    "1e5",
    "1E+5",
    "1.25e-7",
    "-12.5",
    "true",
    "false",
    "null",
    "\"\"",
    "[]",
    "{}",
    " [ ] ",
    "\t{\n}\r\n",
    "[1,2]",
    "[[],[]]",
    R"({"a":1})",
    R"({"a":{},"a":[]})",
    R"({"":[{"b":null}]})",
    R"("\"\\\/\b\f\n\r\t")",
    R"("\u0000\uD800\uabCD")",
    "\"\x7f\"",
    R"([ {"a" : [ true , "x" ] } , -1 ])",
    "1e999",
    "123456789012345678901234567890",
};
const check::Add kTaken("every text of the grammar is taken", [] {
  for (const std::string_view text : kTexts) {
    check::that(isJson(text), std::string(text) + " to be JSON");
  }
});

const check::Add kCut("no text of the grammar but a number is one when its end is missing", [] {
  int cut = 0;
  for (const std::string_view text : kTexts) {
    const bool isNumber = text.find_first_not_of("0123456789+-.eE") == std::string_view::npos;
    const std::size_t end = text.find_last_not_of(" \n\r\t");
    for (std::size_t size = 0; !isNumber && size < end; ++size, ++cut) {
      check::that(!isJson(text.substr(0, size)), std::string(text.substr(0, size)) + " refused");
    }
  }
  check::that(cut > 100, "many cuts");
});

constexpr std::string_view kNoTexts[] = {
    "",
    " ",
    "nope",
    "tru",
    "truex",
    "nul",
    "True",
    "NaN",
    "Infinity",
    "-Infinity",
    "+1",
    ".5",
    "1.",
    "1.e5",
    "1e",
    "1e+",
    "01",
    "-01",
    "-",
    "--1",
    "0x1",
    "1a",
    "1_000",
    "1 2",
    "[1,]",
    "[,1]",
    "[1 2]",
    "[1}",
    "{1:2}",
    "{a:1}",
    R"({"a"})",
    R"({"a":})",
    R"({"a":1,})",
    R"({"a" 1})",
    R"({"a":1 "b":2})",
    "]",
    "}",
    "[1]]",
    R"("\x")",
    R"("\u12")",
    R"("\u12G4")",
    R"("\)",
    "\"",
    "\"a\nb\"",
    "\"\x01\"",
    "'a'",
    "[1,2",
    "/**/1",
    "1,",
    "\xef\xbb\xbf[]",
};
const check::Add kRefused("nothing else is taken", [] {
  for (const std::string_view text : kNoTexts) {
    check::that(!isJson(text), std::string(text) + " to be refused");
  }
});

struct PlaceCase {
  const char* name;
  std::string body;
  const char* says;
};

const PlaceCase kPlaces[] = {
    {"nothing", "", "body: expected JSON, got no bytes"},
    {"a word", "nope", R"(body: expected JSON, got "nope" at position 0)"},
    {"NaN", "[[NaN,1]]",
     R"(body: expected JSON, got "NaN,1]]" at position 2 (JSON has no NaN and no Infinity))"},
    {"-Infinity", "[1, -Infinity]",
     R"(body: expected JSON, got "-Infinity]" at position 4 (JSON has no NaN and no Infinity))"},
    {"a missing end", "[[1,2]", "body: expected JSON, got the end of the text at position 6"},
    {"a trailing comma", R"({"a":1,})", R"(body: expected JSON, got "}" at position 7)"},
    {"a missing comma", "[1 2]", R"(body: expected JSON, got "2]" at position 3)"},
    {"a leading zero", "[01]", R"(body: expected JSON, got "01]" at position 1)"},
    {"a bare key", "{a:1}", R"(body: expected JSON, got "a:1}" at position 1)"},
    {"a wrong bracket", "[1}", R"(body: expected JSON, got "}" at position 2)"},
    {"an open string", R"(["abc)", R"(body: expected JSON, got "\"abc" at position 1)"},
    {"a second value", "1 2", R"(body: expected JSON, got "2" at position 2)"},
    {"an element that is wrong as well", "[[1,2,3],nope]",
     R"(body: expected JSON, got "nope]" at position 9)"},
    {"101 levels", repeat("[", 101),
     "body: expected at most 100 levels of nesting, got more at byte 100"},
    {"a million levels", repeat(R"({"a":)", 1'000'000),
     "body: expected at most 100 levels of nesting, got more at byte 500"},
    {"101 levels within inputs", R"({"inputs":[{"x":)" + repeat("[", 98),
     "body: expected at most 100 levels of nesting, got more at byte 113"},
    {"bytes that are not UTF-8", "[\"\xc3\x28\"]",
     "body: expected JSON in UTF-8, got bytes that are not UTF-8"},
};
const check::AddEach kPlaced(kPlaces, [](const PlaceCase& row) {
  check::equal(test::refusalOf(row.body, test::identity(ElementType::kFloat32, {-1, 2})), row.says,
               "a place");
});

const check::Add kDeep("100 levels are taken, and brackets within strings are none", [] {
  check::that(isJson(repeat("[", 100) + repeat("]", 100)), "100 levels");
  check::that(isJson('"' + repeat("[{", 500) + R"(\"[")"), "a string of brackets");
});

struct Utf8Case {
  const char* name;
  std::string_view text;
  bool valid;
};

// Source: RFC 3629 section 4, the edges of each row of its table.
constexpr Utf8Case kSequences[] = {
    {"ASCII", "a\x7f", true},
    {"the first and last of two bytes", "\xc2\x80\xdf\xbf", true},
    {"the first and last of three bytes", "\xe0\xa0\x80\xef\xbf\xbf", true},
    {"those around the surrogates", "\xed\x9f\xbf\xee\x80\x80", true},
    {"the first and last of four bytes", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", true},
    {"a continuation alone", "\x80", false},
    {"an overlong two", "\xc1\xbf", false},
    {"an overlong three", "\xe0\x9f\xbf", false},
    {"a surrogate", "\xed\xa0\x80", false},
    {"an overlong four", "\xf0\x8f\xbf\xbf", false},
    {"a point beyond the last", "\xf4\x90\x80\x80", false},
    {"a byte that never comes", "\xf5\x80\x80\x80", false},
    {"two bytes cut", "\xc2", false},
    {"three bytes cut", "\xe2\x82", false},
    {"four bytes cut", "\xf0\x9f\x98", false},
    {"a continuation that is none", "\xe2\x82z", false},
};
const check::AddEach kUtf8(kSequences, [](const Utf8Case& row) {
  // At every place of the words that are looked at together.
  for (int before = 0; before < 17; ++before) {
    for (int after = 0; after < 9; ++after) {
      const std::string text = repeat("a", before) + std::string(row.text) + repeat("b", after);
      check::equal(infer::codec::isUtf8(text), row.valid, "validity of " + text);
    }
  }
  check::that(infer::codec::isUtf8(infer::codec::toUtf8(row.text)), "a mended text");
  check::equal(infer::codec::toUtf8(row.text) == row.text, row.valid, "a text left alone");
});

}  // namespace
