// SPDX-License-Identifier: Apache-2.0
// Requests of the Open Inference Protocol as clients of Triton send them: JSON, raw tensors, both,
// and their answers.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "native/base/clock.h"
#include "native/base/tensor.h"
#include "native/codec/schema.h"
#include "test/native/check.h"
#include "test/native/codec_fixture.h"
#include "test/native/codec_v2_fixture.h"
#include "test/native/tensors.h"

namespace {

using infer::ElementType;
using infer::codec::Schema;
using test::batchable;
using test::binary;
using test::echo;
using test::echoBinary;
using test::echoJson;
using test::input;
using test::readV2;
using test::request;
using test::SchemaPtr;

const std::string kHead = R"({"model_name":"m","model_version":"1","outputs":[)";

struct JsonCase {
  const char* name;
  ElementType type;
  const char* input;  // its datatype, shape and data
  const char* output;
};

const std::vector<JsonCase> kJson = {
    {"flat", ElementType::kInt32, R"("datatype":"INT32","shape":[2,2],"data":[1,2,3,4])",
     R"("INT32","shape":[2,2],"data":[1,2,3,4])"},
    {"nested", ElementType::kInt32, R"("datatype":"INT32","shape":[2,2],"data":[[1,2],[3,4]])",
     R"("INT32","shape":[2,2],"data":[1,2,3,4])"},
    {"nested in another way", ElementType::kInt32,
     R"("datatype":"INT32","shape":[2,2],"data":[[[1],2,[[3]]],4])",
     R"("INT32","shape":[2,2],"data":[1,2,3,4])"},
    {"data before the shape", ElementType::kInt32,
     R"("data":[[1],[2,3,4]],"datatype":"INT32","shape":[2,2])",
     R"("INT32","shape":[2,2],"data":[1,2,3,4])"},
    {"no rows", ElementType::kInt32, R"("datatype":"INT32","shape":[0,2],"data":[])",
     R"("INT32","shape":[0,2],"data":[])"},
    {"64-bit integers in full", ElementType::kInt64,
     R"("datatype":"INT64","shape":[1,2],"data":[9007199254740993,-9223372036854775808])",
     R"("INT64","shape":[1,2],"data":[9007199254740993,-9223372036854775808])"},
    {"unsigned ones", ElementType::kUInt64,
     R"("datatype":"UINT64","shape":[1,2],"data":[18446744073709551615,0])",
     R"("UINT64","shape":[1,2],"data":[18446744073709551615,0])"},
    {"words for what is not finite", ElementType::kFloat32,
     R"("datatype":"FP32","shape":[2,2],"data":[NaN,Infinity,-Infinity,0.1])",
     R"("FP32","shape":[2,2],"data":[NaN,Infinity,-Infinity,0.1])"},
    {"such words in any nesting", ElementType::kFloat64,
     R"("datatype":"FP64","shape":[1,2],"data":[[[NaN]],-Infinity])",
     R"("FP64","shape":[1,2],"data":[NaN,-Infinity])"},
    {"truth values as numbers", ElementType::kBool,
     R"("datatype":"BOOL","shape":[1,2],"data":[1,false])",
     R"("BOOL","shape":[1,2],"data":[true,false])"},
    {"strings with NUL", ElementType::kString,
     R"("datatype":"BYTES","shape":[1,2],"data":["a\u0000b",""])",
     R"("BYTES","shape":[1,2],"data":["a\u0000b",""])"},
};

const check::AddEach kJsonForms(kJson, [](const JsonCase& row) {
  const std::string body = test::bytes(R"({"inputs":[{"name":"x",)") + row.input + "}]}";
  check::equal(echoJson(body, test::identity(row.type, {-1, 2})),
               kHead + R"({"name":"y","datatype":)" + row.output + "}]}", "the answer");
});

// The smallest example of the extension, byte for byte.
const check::Add kExample("raw tensors in give raw tensors out, aligned behind the JSON", [] {
  const std::string json =
      R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"INT32","parameters":{"binary_data_size":8}}],"parameters":{"binary_data_output":true}})";
  const std::string chunk("\1\0\0\0\2\0\0\0", 8);
  const auto [text, headerBytes] =
      echoBinary(json, chunk, test::identity(ElementType::kInt32, {-1, 2}));
  std::string expected =
      kHead +
      R"({"name":"y","datatype":"INT32","shape":[1,2],"parameters":{"binary_data_size":8}}]})";
  expected.append((expected.size() + 63) / 64 * 64 - expected.size(), ' ');
  check::equal(headerBytes, expected.size(), "the length of the JSON");
  check::equal(text, expected + chunk, "the answer");
});

const check::Add kOrder(
    "JSON and raw tensors mix, and chunks follow the order of their inputs", [] {
      const std::string json = request(
          input("b", "INT64", "[1,1]", binary(8)) + "," + input("a", "FP32", "[1,2]", binary(8)),
          R"(,"outputs":[{"name":"twice","parameters":{"binary_data":true}},{"name":"sum"}])");
      const std::string b("\5\0\0\0\0\0\0\0", 8);
      const std::string a("\0\0\x80\x3f\0\0\0\x40", 8);
      const auto read = readV2(json + b + a, json.size(), test::twoInputs());
      if (!check::succeeded(read, "inputs")) {
        return;
      }
      check::equal(test::valuesOf<float>(read.value().inputs[0]), std::vector<float>{1, 2}, "a");
      check::equal(test::valuesOf<std::int64_t>(read.value().inputs[1]),
                   std::vector<std::int64_t>{5}, "b");
      const auto written =
          read.value().answer->write({test::floats({1}, {3}), test::floats({1, 2}, {1, 2})});
      const auto& [text, headerBytes] = written.value();
      check::equal(headerBytes % 64, std::size_t{0}, "alignment");
      check::equal(text.substr(headerBytes), a, "the one raw output");
      check::that(text.find(R"({"name":"sum","datatype":"FP32","shape":[1],"data":[3]})") !=
                      std::string::npos,
                  "the other as JSON behind it: " + text);
    });

const check::Add kStrings("strings travel with their lengths, whatever is in them", [] {
  const auto schema = test::identity(ElementType::kString, {-1});
  const std::string all("\3\0\0\0a\0\xff\0\0\0\0", 11);  // "a", NUL, 0xff; then nothing
  const auto out = R"(,"parameters":{"binary_data_output":true})";
  const auto raw = echoBinary(request(input("x", "BYTES", "[2]", binary(11)), out), all, schema);
  check::equal(raw.text.substr(raw.headerBytes), all, "raw");
  check::equal(echoBinary(request(input("x", "BYTES", "[2]", binary(11))), all, schema).text,
               R"(output "y": expected UTF-8 where the answer is JSON (ask for it with )"
               R"("binary_data": true), got bytes that are not UTF-8)",
               "as JSON");
});

const check::Add kEmpty("an answer of empty raw tensors is JSON alone", [] {
  const auto answer = echoBinary(request(input("x", "INT32", "[0,2]", binary(0)),
                                         R"(,"parameters":{"binary_data_output":true})"),
                                 "", test::identity(ElementType::kInt32, {-1, 2}));
  check::equal(answer.headerBytes, std::size_t{0}, "no length");
  check::equal(answer.text,
               kHead + R"({"name":"y","datatype":"INT32","shape":[0,2],)"
                       R"("parameters":{"binary_data_size":0}}]})",
               "the answer");
});

const check::Add kHalf("half floats travel raw only, which is known before they run", [] {
  const auto schema = test::identity(ElementType::kFloat16, {-1});
  const std::string out = R"(,"parameters":{"binary_data_output":true})";
  check::equal(echoJson(request(input("x", "FP16", "[1]", R"("data":[1])"), out), schema),
               "receiving FP16 data via JSON is not supported. Please use the binary data format "
               "for input x",
               "in");
  const std::string chunk("\0\x3c", 2);
  check::equal(echoBinary(request(input("x", "FP16", "[1]", binary(2))), chunk, schema).text,
               "sending FP16 data via JSON is not supported. Please use the binary data format for "
               "output y",
               "out");
  const auto raw = echoBinary(request(input("x", "FP16", "[1]", binary(2)), out), chunk, schema);
  check::equal(raw.text.substr(raw.headerBytes), chunk, "raw");
});

const check::Add kTimeout(
    "a timeout of the request is read, and other parameters are passed on", [] {
      const auto schema = test::identity(ElementType::kInt32, {-1});
      const auto timeoutOf = [&](const std::string& value) {
        const auto read = readV2(
            request(input("x", "INT32", "[1]", R"("data":[1])"),
                    R"(,"parameters":{"timeout":)" + value +
                        R"(,"priority":2,"sequence_id":"a","sequence_start":true,"own":1.5})"),
            std::nullopt, schema);
        return read.ok() ? read.value().timeout : infer::TimeNs{-1};
      };
      check::equal(timeoutOf("1000"), infer::TimeNs{1'000'000}, "microseconds");
      check::equal(timeoutOf("0"), infer::TimeNs{0}, "none");
      check::that(timeoutOf("18446744073709551615") > infer::TimeNs{1'000'000'000'000},
                  "very long");
      check::equal(timeoutOf("-1"), infer::TimeNs{-1}, "refused");
    });

struct ClassCase {
  const char* name;
  infer::Tensor scores;
  const char* classes;
  const char* answer;  // shape and data
};

const std::vector<ClassCase> kClasses = {
    {"the best of each row, with six decimals and labels",
     test::floats({2, 3}, {1, 10, 3, 4, 4, 9}), "2",
     R"([2,2],"data":["10.000000:1:dog","3.000000:2","9.000000:2","4.000000:0:cat"])"},
    {"more classes than there are", test::floats({1, 3}, {1, 2, 3}), "2147483648",
     R"([1,3],"data":["3.000000:2","2.000000:1:dog","1.000000:0:cat"])"},
    {"no number is worse than any",
     test::floats({1, 3}, {std::numeric_limits<float>::quiet_NaN(), -1, 0}), "3",
     R"([1,3],"data":["0.000000:2","-1.000000:1:dog","nan:0:cat"])"},
    {"no rows", test::floats({0, 3}, {}), "1", R"([0,1],"data":[])"},
};

const check::AddEach kRanked(kClasses, [](const ClassCase& row) {
  Schema schema = *batchable(test::identity(ElementType::kFloat32, {-1, 3}));
  schema.labels = {{"cat", "dog"}};
  const std::string body =
      request(input("x", "FP32", "[1,3]", R"("data":[0,0,0])"),
              test::bytes(R"(,"outputs":[{"name":"y","parameters":{"classification":)") +
                  row.classes + "}}]");
  const auto read = readV2(body, std::nullopt, std::make_shared<const Schema>(schema));
  if (check::succeeded(read, "inputs")) {
    check::equal(read.value().answer->write({row.scores}).value().text,
                 kHead + R"({"name":"y","datatype":"BYTES","shape":)" + row.answer + "}]}",
                 "the answer");
  }
});

const check::Add kWhole("a model without rows is ranked as a whole, by its own type", [] {
  const auto schema = test::identity(ElementType::kInt64, {2, 2});
  const std::string body =
      request(input("x", "INT64", "[2,2]", R"("data":[1,9007199254740993,9007199254740992,3])"),
              R"(,"outputs":[{"name":"y","parameters":{"classification":2}}])");
  check::equal(echoJson(body, schema),
               kHead + R"({"name":"y","datatype":"BYTES","shape":[2],)"
                       R"("data":["9007199254740993:1","9007199254740992:2"]}]})",
               "the answer");
});

struct RawCase {
  const char* name;
  SchemaPtr schema;
  std::string body;
  std::string answer;  // the raw output, or the error
};

const std::string kFour("\1\0\0\0", 4);
const std::vector<RawCase> kRaw = {
    {"one row of a batchable model", batchable(test::identity(ElementType::kInt32, {-1, 1})), kFour,
     kFour},
    {"a free axis follows from the size", test::identity(ElementType::kInt32, {-1}), kFour + kFour,
     kFour + kFour},
    {"a free axis beside the rows, too", batchable(test::identity(ElementType::kInt32, {-1, -1})),
     kFour + kFour, kFour + kFour},
    {"a string gets its length", batchable(test::identity(ElementType::kString, {-1, 1})), "abc",
     test::bytes("\3\0\0\0abc")},
    {"several inputs are refused", test::twoInputs(), kFour,
     "Raw request must only have 1 input (found 1) to be deduced but got 2 inputs in 'm' model "
     "configuration"},
    {"two free axes are refused", test::identity(ElementType::kInt32, {-1, -1}), kFour,
     "The shape of the raw input 'x' can not be deduced because there are more than one "
     "variable-sized dimension"},
    {"several strings are refused", test::identity(ElementType::kString, {2}), "abc",
     "For BYTE datatype raw input 'x', the model must have input shape [1]"},
    {"a part of an element is refused", test::identity(ElementType::kInt32, {-1}), kFour + "a",
     "input byte size mismatch for input 'x' for model 'm'. Expected 4, got 5"},
};

const check::AddEach kRawBodies(kRaw, [](const RawCase& row) {
  const auto answer = echo(readV2(row.body, 0, row.schema));
  check::equal(answer.text.substr(answer.headerBytes), row.answer, "the answer");
});

}  // namespace
