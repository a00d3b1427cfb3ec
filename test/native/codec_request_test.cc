// SPDX-License-Identifier: Apache-2.0
// JSON bodies to inputs: elements, shapes, the three forms, and what each refusal says.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/answer.h"
#include "native/codec/json_request.h"
#include "native/codec/schema.h"
#include "test/native/check.h"
#include "test/native/codec_fixture.h"
#include "test/native/tensors.h"

namespace {

using infer::ElementType;
using infer::Shape;
using test::refusalOf;

struct ElementCase {
  const char* name;
  ElementType type;
  const char* good;
  std::vector<const char*> bad;
};

const std::vector<ElementCase> kElements = {
    {"float32",
     ElementType::kFloat32,
     "0,-0,1.5,3.4028234663852886e38,1e-400",
     {"1e39", "1e999", "\"1\"", "null", "true", "[1]", "{}"}},
    {"float64", ElementType::kFloat64, "1e308,5e-324,1e-400", {"1e309", "\"1\"", "null"}},
    {"float16", ElementType::kFloat16, "1.5,65504,65519.9,-0", {"65520", "1e999", "null"}},
    {"bfloat16", ElementType::kBFloat16, "1.5,3.3895e38", {"3.4e38", "1e39"}},
    {"int8", ElementType::kInt8, "-128,127,1.0,1e2,-0", {"-129", "128", "1.5", "\"1\"", "true"}},
    {"int16", ElementType::kInt16, "-32768,32767", {"32768", "0.5"}},
    {"int32", ElementType::kInt32, "-2147483648,2147483647", {"2147483648", "0.5", "-2147483649"}},
    {"int64",
     ElementType::kInt64,
     "-9223372036854775808,9223372036854775807,12e17",
     {"9223372036854775808", "-9223372036854775809", "0.5", "\"1\"", "1e19", "1e999999999"}},
    {"uint8", ElementType::kUInt8, "0,255,2.55e2", {"256", "-1", "1e999", "18446744073709551616"}},
    {"uint16", ElementType::kUInt16, "0,65535", {"65536", "-1"}},
    {"uint32", ElementType::kUInt32, "0,4294967295", {"4294967296", "-1"}},
    {"uint64",
     ElementType::kUInt64,
     "0,18446744073709551615,18446744073709551615.000",
     {"18446744073709551616", "-1", "100000000000000000000", "1e20"}},
    {"bool", ElementType::kBool, "true,false,1,0,1.0", {"2", "\"true\"", "null", "0.5"}},
    {"string",
     ElementType::kString,
     R"("","a\u0000b","\u00e4","\ud83d\ude00")",
     {"1", "null", "[\"a\"]"}},
};

const check::AddEach kTypes(kElements, [](const ElementCase& row) {
  const auto schema = test::identity(row.type, {-1});
  check::equal(refusalOf(std::string("[") + row.good + "]", schema), "", "what the type can hold");
  for (const char* bad : row.bad) {
    const std::string body = std::string("[") + row.good + "," + bad + "]";
    const std::string says = refusalOf(body, schema);
    check::contains(says, ": expected ");
    check::contains(says, std::string(" for \"x\" (") + row.name + " [-1]), got ");
  }
});

const check::Add kExact("64-bit integers keep every digit", [] {
  const auto read = test::readBody("[9007199254740993,-9223372036854775808,9223372036854775807]",
                                   test::identity(ElementType::kInt64, {-1}));
  if (check::succeeded(read, "integers")) {
    const std::vector<std::int64_t> expected{9007199254740993, INT64_MIN, INT64_MAX};
    check::equal(test::valuesOf<std::int64_t>(read.value().inputs[0]), expected, "the integers");
  }
});

const check::Add kEscapes("strings lose their escapes; half a pair of surrogates is replaced", [] {
  const auto read =
      test::readBody(R"(["\"\\\/\b\f\n\r\t","\u00e4\ud83d\ude00","\ud83d","a\udc00b"])",
                     test::identity(ElementType::kString, {-1}));
  if (check::succeeded(read, "strings")) {
    const std::vector<std::string> expected{"\"\\/\b\f\n\r\t", "\xc3\xa4\xf0\x9f\x98\x80",
                                            "\xef\xbf\xbd",
                                            "a\xef\xbf\xbd"
                                            "b"};
    check::equal(read.value().inputs[0].strings, expected, "the strings");
  }
});

struct ShapeCase {
  const char* name;
  const char* body;
  Shape spec;
  Shape shape;
};

const std::vector<ShapeCase> kShapes = {
    {"rows become a shape", "[[1,2],[3,4],[5,6]]", {-1, 2}, {3, 2}},
    {"no rows keep the fixed axes", "[]", {-1, 2}, {0, 2}},
    {"free axes take the size of the first", "[[[1],[2]]]", {-1, -1, -1}, {1, 2, 1}},
    {"below an empty axis free ones are empty", "[[],[]]", {-1, -1, -1}, {2, 0, 0}},
    {"white space changes nothing", " [ [ 1 , 2 ] ] ", {-1, 2}, {1, 2}},
    {"instances are rows", R"({"instances":[[1,2],[3,4]]})", {-1, 2}, {2, 2}},
    {"instances may be named", R"({"instances":[{"x":[1,2]},{"x":[3,4]}]})", {-1, 2}, {2, 2}},
    {"no instances keep the fixed axes", R"({"instances":[]})", {-1, 2}, {0, 2}},
    {"a V2 shape may be that of a scalar",
     R"({"inputs":[{"name":"x","shape":[],"datatype":"FP32","data":[7]}]})",
     {},
     {}},
    {"V2 data may be nested",
     R"({"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2],[3,4]]}]})",
     {-1, 2},
     {2, 2}},
    {"V2 data may be flat",
     R"({"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2,3,4]}]})",
     {-1, 2},
     {2, 2}},
    {"V2 members come in any order",
     R"({"inputs":[{"data":[1,2,3,4],"datatype":"FP32","shape":[2,2],"name":"x"}]})",
     {-1, 2},
     {2, 2}},
    {"names may be escaped",
     R"({"inp\u0075ts":[{"name":"\u0078","shape":[1,1],"datatype":"\u0046P32","d\u0061ta":[1]}]})",
     {-1, 1},
     {1, 1}},
    {"of members of one name the last counts, however it was read before",
     R"({"inputs":5,"inputs":[{"name":"y","name":"x","data":"z","shape":[9],"shape":[1,1],)"
     R"("datatype":"FP32","data":[4,4],"data":[1]}]})",
     {-1, 1},
     {1, 1}},
    {"a shape that comes again after the data counts",
     R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2],"shape":[2,1]}]})",
     {-1, -1},
     {2, 1}},
    {"parameters that are off change nothing",
     R"({"parameters":{"binary_data_output":true,"binary_data_output":false},"inputs":[)"
     R"({"name":"x","shape":[1,1],"datatype":"FP32","data":[1],"parameters":{"binary_data_size":0}}]})",
     {-1, 1},
     {1, 1}},
    {"members that nobody knows change nothing",
     R"({"model_name":[1],"inputs":[{"x":{},"name":"x","shape":[1,1],"datatype":"FP32","data":[1]}]})",
     {-1, 1},
     {1, 1}},
};

const check::AddEach kShaped(kShapes, [](const ShapeCase& row) {
  const auto read = test::readBody(row.body, test::identity(ElementType::kFloat32, row.spec));
  if (check::succeeded(read, "inputs")) {
    const infer::Tensor& input = read.value().inputs[0];
    check::equal(input.shape, row.shape, "the shape");
    check::equal(input.bytes.size(), infer::byteSize(input.type, row.shape).value(), "bytes");
  }
});

const check::Add kSeveral("several inputs go by name, in the order of the signature", [] {
  for (const char* body :
       {R"({"instances":[{"b":[3],"a":[1,2]},{"a":[4,5],"b":[6]}]})",
        R"({"inputs":[{"name":"b","shape":[2,1],"datatype":"INT64","data":[3,6]},)"
        R"({"name":"a","shape":[2,2],"datatype":"FP32","data":[1,2,4,5]}]})"}) {
    const auto read = test::readBody(body, test::twoInputs());
    if (check::succeeded(read, "inputs")) {
      check::equal(test::valuesOf<float>(read.value().inputs[0]), std::vector<float>{1, 2, 4, 5},
                   "a");
      check::equal(test::valuesOf<std::int64_t>(read.value().inputs[1]),
                   std::vector<std::int64_t>{3, 6}, "b");
    }
  }
});

struct RefusalCase {
  const char* name;
  const char* body;
  const char* says;
};

// For inputs a (float32 [-1, 2]) and b (int64 [-1, 1]).
const RefusalCase kRefusals[] = {
    {"a bare array", "[[1,2]]",
     R"(body: expected objects in {"instances": [...]}, because model "m" has the inputs "a", "b", got an array)"},
    {"rows without names", R"({"instances":[[1,2]]})",
     R"(instances[0]: expected an object by input name, because model "m" has the inputs "a", "b", got an array)"},
    {"a row without an input", R"({"instances":[{"a":[1,2]}]})",
     R"(instances[0]: expected a value for input "b", got none)"},
    {"a row with a name too many", R"({"instances":[{"a":[1,2],"b":[1]},{"c":0}]})",
     R"(instances[1]: expected only inputs of model "m" ("a", "b"), got "c")"},
    {"a row of another kind", R"({"instances":[{"a":[1,2],"b":[1]},7]})",
     "instances[1]: expected an object like the first, got 7"},
    {"a row of another size", R"({"instances":[{"a":[1,2],"b":[1]},{"a":[1],"b":[1]}]})",
     "instances[1].a: expected an array of 2 (axis 1 of shape [2, 2]), got an array of 1"},
    {"a wrong value in a row", R"({"instances":[{"a":[1,2],"b":[1.5]}]})",
     "instances[0].b[0]: expected an integer from -9223372036854775808 to 9223372036854775807 for "
     "\"b\" (int64 [-1, 1]), got 1.5"},
    {"numbers of rows that differ",
     R"({"inputs":[{"name":"a","shape":[1,2],"datatype":"FP32","data":[1,2]},)"
     R"({"name":"b","shape":[2,1],"datatype":"INT64","data":[1,2]}]})",
     R"(input "b": expected 1 rows as in "a", got 2 rows)"},
    {"too many rows",
     R"({"instances":[{"a":[1,2],"b":[1]},{"a":[1,2],"b":[1]},{"a":[1,2],"b":[1]}]})",
     R"(input "a": expected at most 2 rows (limits.maxRows), got 3 rows)"},
    {"an empty object", "{}",
     R"(body: expected {"inputs": [...]} as in the Open Inference Protocol or {"instances": [...]} or a nested array, got an object)"},
    {"a shape of axes that no tensor has",
     R"({"inputs":[{"name":"a","shape":[3000000000,2],"datatype":"FP32","data":[]}]})",
     "inputs[0].shape[0]: expected an integer from 0 to 2147483647, got 3000000000"},
    {"a shape that lies",
     R"({"inputs":[{"name":"a","shape":[2147483647,2],"datatype":"FP32","data":[1]}]})",
     "inputs[0].shape[0]: expected at most 77, the bytes of the body, got 2147483647"},
};

const check::AddEach kRefused(kRefusals, [](const RefusalCase& row) {
  infer::codec::Schema schema = *test::twoInputs();
  schema.batchable = true;
  schema.maxRows = 2;
  schema.maxRowsKey = "limits.maxRows";
  check::equal(refusalOf(row.body, std::make_shared<const infer::codec::Schema>(schema)), row.says,
               "a reason");
});

const check::Add kForms("only the forms that are asked for are taken", [] {
  const auto schema = test::identity(ElementType::kFloat32, {-1});
  const auto says = refusalOf("[1]", schema, infer::codec::kV2);
  check::equal(
      says,
      R"(body: expected {"inputs": [...]} as in the Open Inference Protocol, got an array of 1)",
      "a reason");
  check::equal(refusalOf("[1]", schema, infer::codec::kArray), "", "the right form");
});

const check::Add kRagged(
    "a ragged text that promises a huge tensor is refused at its first lie", [] {
      std::string body = "[[0";
      for (int i = 1; i < 1000; ++i) {
        body += ",0";
      }
      body += ']';
      for (int i = 0; i < 100'000; ++i) {
        body += ",[]";
      }
      check::equal(
          refusalOf(body + "]", test::identity(ElementType::kFloat64, {-1, -1})),
          "body[1]: expected an array of 1000 (axis 1 of shape [100001, 1000]), got an array of 0",
          "a reason");
    });

const check::Add kMany("a million inputs are refused at the first that is wrong", [] {
  std::string body = R"({"inputs":[{})";
  for (int i = 0; i < 1'000'000; ++i) {
    body += ",{}";
  }
  check::equal(refusalOf(body + "]}", test::twoInputs()),
               R"(inputs[0].name: expected an input of model "m" ("a", "b"), got nothing)",
               "a reason");
});

}  // namespace
