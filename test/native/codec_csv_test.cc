// SPDX-License-Identifier: Apache-2.0
// CSV bodies to inputs: cells of each type, quotes, widths and shapes, and what each refusal says.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "native/base/tensor.h"
#include "native/codec/answer.h"
#include "test/native/check.h"
#include "test/native/codec_fixture.h"
#include "test/native/tensors.h"

namespace {

using infer::ElementType;
using infer::Shape;
using infer::codec::Format;
using infer::codec::kCsv;
using test::identity;

struct GoodCase {
  const char* name;
  ElementType type;
  Shape shape;
  std::string_view body;
  std::string_view answer;  // as JSON
};

const std::vector<GoodCase> kGood = {
    {"rows of a table", ElementType::kFloat32, {-1, 2}, "1,2.5\n-3e2,4\n", "[[1,2.5],[-300,4]]"},
    {"no line break at the end", ElementType::kFloat32, {-1, 2}, "1,2\n3,4", "[[1,2],[3,4]]"},
    {"CRLF", ElementType::kFloat32, {-1, 2}, "1,2\r\n3,4\r\n", "[[1,2],[3,4]]"},
    {"a CR at the end", ElementType::kFloat32, {-1, 2}, "1,2\r", "[[1,2]]"},
    {"blank lines", ElementType::kFloat32, {-1, 2}, "\n1,2\n\r\n  \t\n3,4\n\n", "[[1,2],[3,4]]"},
    {"spaces around numbers", ElementType::kFloat32, {-1, 2}, " 1 ,\t2 \n", "[[1,2]]"},
    {"an empty cell", ElementType::kFloat32, {-1, 3}, "1,,3\n,,\n", "[[1,NaN,3],[NaN,NaN,NaN]]"},
    {"words for what has no digits",
     ElementType::kFloat64,
     {-1, 6},
     "nan,NaN,inf,-inf,+Infinity,-INFINITY",
     "[[NaN,NaN,Infinity,-Infinity,Infinity,-Infinity]]"},
    {"the same as float16",
     ElementType::kFloat16,
     {-1, 3},
     "nan,inf,-inf",
     "[[NaN,Infinity,-Infinity]]"},
    {"the same as bfloat16",
     ElementType::kBFloat16,
     {-1, 3},
     "nan,inf,-inf",
     "[[NaN,Infinity,-Infinity]]"},
    {"numbers as others write them",
     ElementType::kFloat32,
     {-1, 8},
     "+1,.5,-.5,5.,007,00.5,5.e1,+0",
     "[[1,0.5,-0.5,5,7,0.5,50,0]]"},
    {"numbers in quotes", ElementType::kFloat32, {-1, 2}, "\"1\", \" 2 \"\n", "[[1,2]]"},
    {"a byte-order mark",
     ElementType::kFloat32,
     {-1, 1},
     "\xef\xbb\xbf"
     "1\n",
     "[[1]]"},
    {"one column for one axis", ElementType::kInt64, {-1}, "1\n2\n3\n", "[1,2,3]"},
    {"a scalar", ElementType::kInt64, {}, "7\n", "7"},
    {"more axes behind the first",
     ElementType::kInt32,
     {-1, 2, 2},
     "1,2,3,4\n5,6,7,8",
     "[[[1,2],[3,4]],[[5,6],[7,8]]]"},
    {"a free axis behind the first",
     ElementType::kInt32,
     {-1, -1, 2},
     "1,2,3,4\n5,6,7,8",
     "[[[1,2],[3,4]],[[5,6],[7,8]]]"},
    {"a fixed number of rows", ElementType::kInt32, {2, -1}, "1\n2", "[[1],[2]]"},
    {"64-bit integers in full",
     ElementType::kInt64,
     {-1, 2},
     "9223372036854775807,-9223372036854775808",
     "[[9223372036854775807,-9223372036854775808]]"},
    {"truth values",
     ElementType::kBool,
     {-1, 6},
     "True,false,TRUE,1,0,1.0",
     "[[true,false,true,true,false,true]]"},
    {"texts as they are",
     ElementType::kString,
     {-1, 3},
     "a b, c,#d\n,\"\",5\n",
     R"([["a b"," c","#d"],["","","5"]])"},
    {"texts in quotes",
     ElementType::kString,
     {-1, 2},
     "\"a,b\",\"say \"\"hi\"\"\"\n\"x\ny\",z\r\n",
     R"([["a,b","say \"hi\""],["x\ny","z"]])"},
    {"a quote within a text", ElementType::kString, {-1, 1}, "5\" pipe\n", R"([["5\" pipe"]])"},
    {"a text of one column that is empty",
     ElementType::kString,
     {-1, 1},
     "a\n\"\"\n\nb\n",
     R"([["a"],[""],["b"]])"},
};

const check::AddEach kRead(kGood, [](const GoodCase& row) {
  check::equal(test::echoOf(row.body, identity(row.type, row.shape), kCsv), row.answer,
               "the input");
});

struct BadCase {
  const char* name;
  ElementType type;
  Shape shape;
  std::string_view body;
  const char* says;
};

const std::vector<BadCase> kBad = {
    {"no bytes", ElementType::kFloat32, {-1, 2}, "", "body: expected CSV in UTF-8, got no bytes"},
    {"blank lines alone",
     ElementType::kFloat32,
     {-1, 2},
     "\n \r\n",
     "body: expected lines of CSV, got none"},
    {"bytes that are no UTF-8",
     ElementType::kString,
     {-1, 1},
     "a\xff",
     "body: expected CSV in UTF-8, got bytes that are not UTF-8"},
    {"a line of names",
     ElementType::kFloat32,
     {-1, 2},
     "length,width\n1,2\n",
     R"(line 1, column 1: expected a finite number within float32 for "x" (float32 [-1, 2]), got "length" (a line of names is not taken))"},
    {"a text among numbers",
     ElementType::kFloat32,
     {-1, 2},
     "1,2\n\n3,x y\n",
     R"(line 3, column 2: expected a finite number within float32 for "x" (float32 [-1, 2]), got "x y")"},
    {"two numbers in a cell", ElementType::kFloat32, {-1, 2}, "1,2\n3 4,5", R"(got "3 4")"},
    {"a number beyond the type", ElementType::kFloat32, {-1, 1}, "1\n1e39", R"(got "1e39")"},
    {"hexadecimal digits", ElementType::kInt32, {-1, 1}, "1\n0x10", R"(got "0x10")"},
    {"a sign alone", ElementType::kInt32, {-1, 1}, "1\n+", R"(got "+")"},
    {"two signs", ElementType::kInt32, {-1, 1}, "1\n+-1", R"(got "+-1")"},
    {"a point alone", ElementType::kFloat32, {-1, 1}, "1\n.", R"(got ".")"},
    {"a fraction for an integer", ElementType::kInt32, {-1, 1}, "1\n1.5", R"(got "1.5")"},
    {"an integer beyond the type", ElementType::kUInt8, {-1, 1}, "1\n-1", R"(got "-1")"},
    {"an empty cell for an integer",
     ElementType::kInt32,
     {-1, 2},
     "1,2\n3,",
     "line 2, column 2: expected an integer from -2147483648 to 2147483647 for \"x\" (int32 [-1, "
     "2]), got an empty cell"},
    {"NaN for an integer", ElementType::kInt32, {-1, 1}, "nan", R"(got "nan")"},
    {"a truth value that is none",
     ElementType::kBool,
     {-1, 1},
     "true\nyes",
     R"(line 2, column 1: expected true, false, 1 or 0 for "x" (bool [-1, 1]), got "yes")"},
    {"rows of two widths",
     ElementType::kFloat32,
     {-1, -1},
     "1,2\n\n3,4,5\n",
     "line 3: expected 2 cells as in line 1, got 3"},
    {"rows of another width",
     ElementType::kFloat32,
     {-1, 2},
     "1,2,3\n",
     R"(line 1: expected 2 cells for "x" (float32 [-1, 2]), got 3)"},
    {"a width that is no multiple",
     ElementType::kFloat32,
     {-1, -1, 2},
     "1,2,3\n",
     R"(line 1: expected a multiple of 2 cells for "x" (float32 [-1, -1, 2]), got 3)"},
    {"two free axes behind the first",
     ElementType::kFloat32,
     {-1, -1, -1},
     "1\n",
     R"(body: expected a format that says shapes, because "x" (float32 [-1, -1, -1]) leaves several open, got CSV)"},
    {"another number of rows",
     ElementType::kFloat32,
     {2, 1},
     "1\n",
     R"(body: expected 2 lines for "x" (float32 [2, 1]), got 1)"},
    {"several rows for a scalar", ElementType::kFloat32, {}, "1\n2\n", "body: expected 1 lines"},
    {"quotes without an end",
     ElementType::kString,
     {-1, 1},
     "a\n\"b\n\"\"",
     "line 2, column 1: expected a string for \"x\" (string [-1, 1]), got \"\\\"b\" with quotes "
     "that do not end where the cell does"},
    {"text behind quotes",
     ElementType::kString,
     {-1, 1},
     "\"a\"b",
     "with quotes that do not end where the cell does"},
    {"a lone quote",
     ElementType::kString,
     {-1, 1},
     "\"",
     "with quotes that do not end where the cell does"},
};

const check::AddEach kRefused(kBad, [](const BadCase& row) {
  check::contains(test::refusalOf(row.body, identity(row.type, row.shape), kCsv), row.says);
});

const check::Add kSeveral("CSV is no body for several inputs", [] {
  check::contains(
      test::refusalOf("1,2\n", test::twoInputs(), kCsv),
      R"(body: expected a format with names, because model "m" has the inputs "a", "b", got CSV)");
});

const check::Add kMany("many cells that take the long way are read like few", [] {
  constexpr int kRows = 20'000;
  std::string body;
  for (int row = 0; row < kRows; ++row) {
    body += "+1,nan\n";
  }
  const auto read = test::readBody(body, identity(ElementType::kFloat32, {-1, 2}), kCsv);
  if (check::succeeded(read, "rows")) {
    const auto values = test::valuesOf<float>(read.value().inputs[0]);
    check::equal(values.size(), std::size_t{2} * kRows, "cells");
    check::that(values.back() != values.back() && values[values.size() - 2] == 1, "the last row");
  }
});

// A generator of Numerical Recipes ("An Even Quicker Generator"), so that every run is the same.
class Random {
 public:
  std::size_t below(std::size_t count) {
    state_ = state_ * 1'664'525U + 1'013'904'223U;
    return (state_ >> 8U) % count;
  }

 private:
  std::uint32_t state_ = 1;
};

const check::Add kChanged(
    "of 30,000 changed bodies each is refused in words or has whole rows", [] {
      constexpr std::string_view kNear = "0123456789,\n\r\"\" \t+-.eEnainfty#\xef\xbb\xbf";
      const ElementType types[] = {ElementType::kFloat32, ElementType::kInt8, ElementType::kBool,
                                   ElementType::kFloat16, ElementType::kString};
      Random random;
      int read = 0;
      int refused = 0;
      for (int round = 0; round < 30'000; ++round) {
        std::string body = "1,0\r\n\"1\",nan\n\n+1,.5\n0,1";
        for (std::size_t change = random.below(4); change > 0; --change) {
          body[random.below(body.size())] = kNear[random.below(kNear.size())];
        }
        body.resize(body.size() - (random.below(4) == 0 ? random.below(body.size()) : 0));
        const auto result = test::readBody(body, identity(types[random.below(5)], {-1, 2}), kCsv);
        if (!result.ok()) {
          ++refused;
          check::contains(result.error().message, ": expected ");
          continue;
        }
        ++read;
        const infer::Tensor& rows = result.value().inputs[0];
        const auto count = static_cast<std::size_t>(rows.shape[0] * rows.shape[1]);
        const std::size_t bytes = count * infer::elementTypeInfo(rows.type).bytes;
        check::equal(rows.bytes.size(), bytes, "the bytes of the rows");
        check::equal(rows.strings.size(), bytes == 0 ? count : 0, "the texts of the rows");
      }
      check::that(read > 1000 && refused > 1000, "some of both");
    });

}  // namespace
