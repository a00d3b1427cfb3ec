// SPDX-License-Identifier: Apache-2.0
// JSON Lines, and the rows that SageMaker's built-in algorithms take: good ones and what each
// refusal says.
#include <string>
#include <string_view>
#include <vector>

#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/codec/answer.h"
#include "test/native/check.h"
#include "test/native/codec_fixture.h"
#include "test/native/tensors.h"

namespace {

using infer::ElementType;
using infer::codec::Format;
using infer::codec::kAllForms;
using infer::codec::kLines;
using test::identity;

// For a model that gives its input x (float32 [-1, 3]) back as y.
struct EchoCase {
  const char* name;
  unsigned forms;
  std::string_view body;
  std::string_view answer;
};

constexpr std::string_view kTwo = R"({"predictions":[[1,2,3],[4,5,6]]})";
const EchoCase kEchoes[] = {
    {"vectors", kLines, "[1,2,3]\n[4,5,6]\n", kTwo},
    {"no line break at the end", kLines, "[1,2,3]\n[4,5,6]", kTwo},
    {"CRLF and blank lines", kLines, "\r\n[1,2,3]\r\n \t\n\n[4,5,6]\r\n\r\n", kTwo},
    {"objects by name", kLines, "{\"x\":[1,2,3]}\n{\"x\":[4,5,6]}", kTwo},
    {"objects and vectors", kLines, "{\"x\":[1,2,3]}\n[4,5,6]", kTwo},
    {"features", kLines, "{\"features\":[1,2,3]}\n{\"features\":[4,5,6]}", kTwo},
    {"features in instances", kAllForms,
     R"({"instances":[{"features":[1,2,3]},{"features":[4,5,6]}]})", kTwo},
    {"values", kLines, "{\"features\":{\"values\":[1,2,3]}}\n[4,5,6]", kTwo},
    {"data", kAllForms,
     R"({"instances":[{"data":{"features":{"values":[1,2,3]}}},{"data":{"features":{"values":[4,5,6]}}}]})",
     kTwo},
    {"sparse data", kAllForms,
     R"({"instances":[{"data":{"features":{"keys":[2,0],"shape":[3],"values":[3.5,1]}}},{"x":[4,5,6]}]})",
     R"({"predictions":[[1,0,3.5],[4,5,6]]})"},
    {"a sparse row without values", kLines,
     R"({"data":{"features":{"keys":[],"shape":[3],"values":[]}}})",
     R"({"predictions":[[0,0,0]]})"},
};

const check::AddEach kEchoed(kEchoes, [](const EchoCase& row) {
  check::equal(test::echoOf(row.body, identity(ElementType::kFloat32, {-1, 3}), row.forms),
               row.answer, "the answer");
});

struct BadCase {
  const char* name;
  unsigned forms;
  std::string_view body;
  const char* says;
};

const BadCase kBad[] = {
    {"no bytes", kLines, "", "body: expected JSON Lines in UTF-8, got no bytes"},
    {"blank lines alone", kLines, "\n\n", "body: expected lines of JSON, got none"},
    {"bytes that are no UTF-8", kLines, "\"\xff\"",
     "body: expected JSON Lines in UTF-8, got bytes that are not UTF-8"},
    {"a line that is no JSON", kLines, "[1,2,3]\n\n[4,5",
     "line 3: expected JSON, got the end of the text at position 4"},
    {"two values on a line", kLines, "[1,2,3] [4,5,6]",
     "line 1: expected JSON, got \"[4,5,6]\" at position 8"},
    {"a value on two lines", kLines, "[1,\n2,3]", "line 1: expected JSON"},
    {"a comma at the end of a line", kLines, "[1,2,3],\n[4,5,6]", "line 1: expected JSON"},
    {"a wrong element", kLines, "[1,2,3]\n\n[4,\"5\",6]",
     R"(line 3: [1]: expected a finite number within float32 for "x" (float32 [-1, 3]), got the string "5")"},
    {"a wrong element by name", kLines, "{\"x\":[1,2,3]}\n{\"x\":[4,null,6]}",
     "line 2: x[1]: expected a finite number"},
    {"a row of another length", kLines, "[1,2,3]\n[4,5]", "line 2: expected an array of 3"},
    {"a first row of another length", kLines, "[1,2]",
     R"(line 1: expected 3 values along axis 1 of "x" (float32 [-1, 3]), got 2)"},
    {"a number for a row", kLines, "[1,2,3]\n4", "line 2: expected an array of 3"},
    {"an unknown name", kLines, "{\"y\":[1,2,3]}",
     R"(line 1: expected only inputs of model "m" ("x"), got "y")"},
    {"an object without the input", kLines, "{}",
     R"(line 1: expected a value for input "x", got none)"},
    {"data without features", kLines, "{\"data\":[1,2,3]}",
     R"(line 1: data: expected an object with "features", got an array of 3)"},
    {"features without values", kLines, "{\"features\":{}}",
     "line 1: features.values: expected an array, got nothing"},
    {"keys without a shape", kAllForms, R"({"instances":[{"features":{"keys":[],"values":[]}}]})",
     "instances[0].features.shape: expected an array of one integer beside keys, got nothing"},
    {"a shape of two axes", kLines, R"({"features":{"keys":[0],"values":[1],"shape":[1,3]}})",
     "line 1: features.shape: expected an array of one integer"},
    {"a shape below 0", kLines, R"({"features":{"keys":[0],"values":[1],"shape":[-3]}})",
     "features.shape: expected an array of one integer"},
    {"another shape", kLines, R"({"features":{"keys":[0],"values":[1],"shape":[4]}})",
     R"(features.shape: expected [3] for "x" (float32 [-1, 3]), got [4])"},
    {"a key behind the end", kLines, R"({"features":{"keys":[1,3],"values":[1,2],"shape":[3]}})",
     "line 1: features.keys[1]: expected an integer from 0 to below 3 (shape), got 3"},
    {"a key below 0", kLines, R"({"features":{"keys":[-1],"values":[1],"shape":[3]}})",
     "features.keys[0]: expected"},
    {"a key twice", kLines, R"({"features":{"keys":[1,1],"values":[1,2],"shape":[3]}})",
     "features.keys: expected each key once, got 1 twice"},
    {"more keys than values", kLines, R"({"features":{"keys":[0,1],"values":[1],"shape":[3]}})",
     "features.values: expected 2 values as in keys, got 1"},
    {"a text as a sparse value", kLines, R"({"features":{"keys":[2],"values":["a"],"shape":[3]}})",
     R"(line 1: x[2]: expected a finite number within float32 for "x" (float32 [-1, 3]), got the string "a")"},
};

const check::AddEach kRefused(kBad, [](const BadCase& row) {
  check::contains(test::refusalOf(row.body, identity(ElementType::kFloat32, {-1, 3}), row.forms),
                  row.says);
});

const check::Add kOwnNames("an input that is named like a wrapper is itself", [] {
  const auto schema = test::schemaOf({test::spec("features", ElementType::kFloat32, {-1, 2})},
                                     {test::spec("y", ElementType::kFloat32, {-1, 2})});
  check::equal(test::echoOf("{\"features\":[1,2]}", schema, kLines), R"({"predictions":[[1,2]]})",
               "by name");
  check::equal(test::echoOf("{\"features\":{\"values\":[1,2]}}", schema, kLines),
               R"({"predictions":[[1,2]]})", "wrapped");
});

const check::Add kHuge("sparse rows cannot become more than their limit", [] {
  const auto schema = identity(ElementType::kFloat64, {-1, -1});
  const std::string_view row = R"({"features":{"keys":[],"values":[],"shape":[2000000]}})";
  const std::string two = std::string(row) + '\n' + std::string(row);
  check::equal(test::refusalOf(row, schema, kLines), "", "16 MB");
  check::contains(test::refusalOf(two, schema, kLines),
                  "line 2: features: expected sparse rows of at most 16777216 bytes once their "
                  "zeros are there, got more");
  check::contains(test::refusalOf(R"({"features":{"keys":[],"values":[],"shape":[2147483647]}})",
                                  schema, kLines),
                  "got more");
});

const check::Add kSeveral("rows of several inputs are objects", [] {
  const auto schema = test::twoInputs();
  check::equal(test::refusalOf("{\"a\":[1,2],\"b\":[3]}\n{\"b\":[4],\"a\":[5,6]}", schema, kLines),
               "", "objects");
  check::contains(
      test::refusalOf("[1,2]", schema, kLines),
      R"(line 1: expected an object by input name, because model "m" has the inputs "a", "b", got an array of 2)");
  check::contains(test::refusalOf("{\"features\":[1,2]}", schema, kLines),
                  R"(line 1: expected only inputs of model "m")");
});

const check::Add kAnswers("lines are answered by lines, row by row", [] {
  const auto schema = test::twoInputs();
  const auto read = test::readBody("{\"a\":[1,2],\"b\":[3]}\n{\"a\":[1,2],\"b\":[3]}", schema,
                                   kLines, Format::kLines);
  const infer::Outputs outputs{test::floats({2}, {5, 6}), test::floats({2, 2}, {1, 2, 3, 4})};
  if (check::succeeded(read, "rows")) {
    const auto text = read.value().answer->write(outputs);
    check::equal(text.ok() ? text.value().text : text.error().message,
                 "{\"sum\":5,\"twice\":[1,2]}\n{\"sum\":6,\"twice\":[3,4]}\n", "the answer");
  }
  check::equal(test::echoOf("[[1,2,3],[4,5,6]]", identity(ElementType::kFloat32, {-1, 3}),
                            kAllForms, Format::kLines),
               "[1,2,3]\n[4,5,6]\n", "for an array");
  check::contains(
      test::echoOf("5", identity(ElementType::kFloat32, {}), infer::codec::kCsv, Format::kLines),
      "outputs: expected a model whose outputs have an entry for each row, got an output without "
      "an axis");
});

}  // namespace
