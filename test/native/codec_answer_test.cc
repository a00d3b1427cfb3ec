// SPDX-License-Identifier: Apache-2.0
// Outputs to JSON answers: elements, nesting, the three forms, and what cannot be written.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/codec/answer.h"
#include "native/codec/json_request.h"
#include "native/codec/tensor_text.h"
#include "test/native/check.h"
#include "test/native/codec_fixture.h"
#include "test/native/tensors.h"

namespace {

using infer::ElementType;
using infer::Outputs;
using infer::Tensor;
using test::echoOf;
using test::identity;
using test::tensorOf;

struct TextCase {
  const char* name;
  Tensor tensor;
  const char* flat;
  const char* nested;
};

const std::vector<TextCase> kTexts = {
    {"64-bit integers in full",
     tensorOf<std::int64_t>(ElementType::kInt64, {2, 1, 2}, {1, INT64_MIN, INT64_MAX, 4}),
     "[1,-9223372036854775808,9223372036854775807,4]",
     "[[[1,-9223372036854775808]],[[9223372036854775807,4]]]"},
    {"unsigned ones", tensorOf<std::uint64_t>(ElementType::kUInt64, {1}, {UINT64_MAX}),
     "[18446744073709551615]", "[18446744073709551615]"},
    {"a byte as a number", tensorOf<std::uint8_t>(ElementType::kUInt8, {2}, {65, 255}), "[65,255]",
     "[65,255]"},
    {"a signed byte as a number", tensorOf<std::int8_t>(ElementType::kInt8, {1}, {-128}), "[-128]",
     "[-128]"},
    {"a scalar", tensorOf<std::uint8_t>(ElementType::kBool, {}, {1}), "[true]", "true"},
    {"nothing", test::floats({0, 3}, {}), "[]", "[]"},
    {"rows of nothing", test::floats({2, 0}, {}), "[]", "[[],[]]"},
    {"float16 as a float32", tensorOf<std::uint16_t>(ElementType::kFloat16, {1}, {0x3555}),
     "[0.33325195]", "[0.33325195]"},
    {"bfloat16 as a float32", tensorOf<std::uint16_t>(ElementType::kBFloat16, {1}, {0x3eab}),
     "[0.33398438]", "[0.33398438]"},
    {"what JSON has no word for",
     test::floats({3},
                  {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                   -std::numeric_limits<float>::infinity()}),
     "[NaN,Infinity,-Infinity]", "[NaN,Infinity,-Infinity]"},
    {"strings with what is escaped", test::strings({2}, {"a\"\\\n\x01", "\xc3\xa4"}),
     R"(["a\"\\\n\u0001","ä"])", R"(["a\"\\\n\u0001","ä"])"},
    {"strings that are not UTF-8", test::strings({1}, {"a\xff"}), "[\"a\xef\xbf\xbd\"]",
     "[\"a\xef\xbf\xbd\"]"},
};

const check::AddEach kWritten(kTexts, [](const TextCase& row) {
  std::string flat;
  std::string nested;
  infer::codec::appendFlat(flat, row.tensor);
  infer::codec::appendNested(nested, row.tensor);
  check::equal(flat, row.flat, "flat");
  check::equal(nested, row.nested, "nested");
});

struct EchoCase {
  const char* name;
  const char* body;
  const char* answer;
};

// For a model that gives its input x (int32 [-1, 2]) back as y.
const EchoCase kEchoes[] = {
    {"an array for an array", "[[1,2],[3,4]]", "[[1,2],[3,4]]"},
    {"no rows for no rows", "[]", "[]"},
    {"predictions for instances", R"({"instances":[[1,2],[3,4]]})",
     R"({"predictions":[[1,2],[3,4]]})"},
    {"predictions for named instances", R"({"instances":[{"x":[1,2]}]})",
     R"({"predictions":[[1,2]]})"},
    {"no predictions for no instances", R"({"instances":[]})", R"({"predictions":[]})"},
    {"V2 for V2",
     R"({"id":"a\u0022","inputs":[{"name":"x","shape":[1,2],"datatype":"INT32","data":[1,2]}]})",
     R"({"model_name":"m","model_version":"1","id":"a\"","outputs":[{"name":"y","datatype":"INT32","shape":[1,2],"data":[1,2]}]})"},
    {"V2 without an id",
     R"({"id":"","outputs":[{"name":"y"}],"inputs":[{"name":"x","shape":[0,2],"datatype":"INT32","data":[]}]})",
     R"({"model_name":"m","model_version":"1","outputs":[{"name":"y","datatype":"INT32","shape":[0,2],"data":[]}]})"},
};
const check::AddEach kEchoed(kEchoes, [](const EchoCase& row) {
  check::equal(echoOf(row.body, identity(ElementType::kInt32, {-1, 2})), row.answer, "the answer");
});

constexpr std::string_view kTwoRows = R"({"instances":[{"a":[1,2],"b":[1]},{"a":[1,2],"b":[1]}]})";

std::string answerOf(std::string_view body, const Outputs& outputs) {
  const auto read = test::readBody(body, test::twoInputs());
  if (!check::succeeded(read, "inputs")) {
    return "";
  }
  const auto text = read.value().answer->write(outputs);
  return text.ok() ? text.value().text : text.error().message;
}

const check::Add kNamed("rows of several outputs are objects", [] {
  const Outputs outputs{test::floats({2}, {5, 6}), test::floats({2, 2}, {1, 2, 3, 4})};
  check::equal(answerOf(kTwoRows, outputs),
               R"({"predictions":[{"sum":5,"twice":[1,2]},{"sum":6,"twice":[3,4]}]})",
               "the answer");
});

const check::Add kAsked("V2 outputs come in the order in which they were asked for", [] {
  const Outputs outputs{test::floats({1}, {5}), test::floats({1, 2}, {1, 2})};
  const std::string inputs =
      R"("inputs":[{"name":"b","shape":[1,1],"datatype":"INT64","data":[1]},)"
      R"({"name":"a","shape":[1,2],"datatype":"FP32","data":[1,2]}]})";
  const std::string head = R"({"model_name":"m","model_version":"1","outputs":[)";
  const std::string sum = R"({"name":"sum","datatype":"FP32","shape":[1],"data":[5]})";
  const std::string twice = R"({"name":"twice","datatype":"FP32","shape":[1,2],"data":[1,2]})";
  check::equal(answerOf("{" + inputs, outputs), head + sum + "," + twice + "]}", "all");
  check::equal(answerOf(R"({"outputs":[],)" + inputs, outputs), head + sum + "," + twice + "]}",
               "all");
  check::equal(answerOf(R"({"outputs":[{"name":"twice"},{"name":"sum"}],)" + inputs, outputs),
               head + twice + "," + sum + "]}", "both");
  check::equal(answerOf(R"({"outputs":[{"name":"twice"}],)" + inputs, outputs), head + twice + "]}",
               "one");
});

const check::Add kUnfit("rows that do not fit their instances are refused", [] {
  check::equal(answerOf(kTwoRows, {test::floats({1}, {5}), test::floats({1, 2}, {1, 2})}),
               "instances: expected a model whose outputs have a row for each, got 1 rows for 2 "
               "instances",
               "a reason");
  check::equal(answerOf(kTwoRows, {test::floats({2}, {5, 6}), test::floats({1, 2}, {1, 2})}),
               R"(instances: expected a model whose outputs have the same number of rows, got "m")",
               "a reason");
});

const check::Add kNoAxis("instances whose outputs come without an axis are refused", [] {
  const char* const reason =
      "instances: expected a model whose outputs have an entry for each row, got an output without "
      "an axis";
  const Tensor scalar = test::floats({}, {5});
  const Tensor rows = test::floats({2, 2}, {1, 2, 3, 4});
  check::equal(answerOf(kTwoRows, {scalar, rows}), reason, "a reason for the first");
  check::equal(answerOf(kTwoRows, {rows, scalar}), reason, "a reason for the second");
});

const check::Add kLarge("an answer over its limit is refused before it is written", [] {
  const auto schema = identity(ElementType::kFloat32, {-1});
  for (const std::size_t most : {std::size_t{35}, std::size_t{36}}) {
    const auto read = infer::codec::readJson(
        "[1,2,3]", schema, {.forms = infer::codec::kAllForms, .maxResponseBytes = most});
    const auto text = read.value().answer->write(read.value().inputs);
    if (most == 36) {
      check::succeeded(text, "an answer of its size");
    } else {
      check::failed(text, infer::ErrorCode::kBadInput,
                    "body: expected rows whose answer has at most 35 bytes (maxResponseBytes), got "
                    "rows whose answer has about 36");
    }
  }
});

}  // namespace
