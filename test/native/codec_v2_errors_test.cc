// SPDX-License-Identifier: Apache-2.0
// What is wrong with requests of the Open Inference Protocol, in the words that clients of Triton
// know.
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "test/native/check.h"
#include "test/native/codec_fixture.h"
#include "test/native/codec_v2_fixture.h"

namespace {

using infer::ElementType;
using test::batchable;
using test::binary;
using test::echoBinary;
using test::echoJson;
using test::input;
using test::kNoLimit;
using test::readV2;
using test::request;

struct BadCase {
  const char* name;
  std::string json;
  std::string chunks;  // with "-": the request is JSON alone
  const char* says;
};

std::string x(const std::string& shape, const std::string& rest) {
  return input("x", "INT32", shape, rest);
}

const std::string kGood = x("[1,2]", R"("data":[1,2])");
std::string withParameters(const std::string& parameters) {
  return request(kGood, R"(,"parameters":{)" + parameters + "}");
}
std::string withOutput(const std::string& output) {
  return request(kGood, R"(,"outputs":[)" + output + "]");
}

// For a batchable model with input x and output y, INT32 [-1, 2], of at most 8 rows.
const std::vector<BadCase> kBad = {
    {"no bytes", "", "-", "body: expected JSON, got no bytes"},
    {"no JSON", "{", "-", "body: expected JSON, got the end of the text at position 1"},
    {"no object", "[1]", "-", R"(body: expected an object with "inputs", got an array of 1)"},
    {"no inputs", "{}", "-", "inputs: expected an array of tensors, got nothing"},
    {"an id that is no string", request(kGood, R"(,"id":7)"), "-", "id: expected a string, got 7"},
    {"a name that is no string", request(R"({"name":NaN})"), "-",
     "inputs[0].name: expected a string, got a number that is not finite"},
    {"an input twice", request(kGood + "," + kGood), "-",
     "[request id: <id_unknown>] input 'x' already exists in request"},
    {"an unknown input, in a request with an id",
     request(input("z", "INT32", "[1,2]", R"("data":[1,2])"), R"(,"id":"a1")"), "-",
     "[request id: a1] unexpected inference input 'z' for model 'm'"},
    {"no input at all", request(""), "-",
     "[request id: <id_unknown>] expected 1 inputs but got 0 inputs for model 'm'. Got input(s) "
     "[], but missing required input(s) ['x']. Please provide all required input(s)."},
    {"too few bytes", request(x("[1,2]", binary(8))), "abcdef",
     "unexpected size for input 'x', expecting 2 additional bytes for model 'm'"},
    {"a size beyond any body", request(x("[1,2]", binary(kNoLimit))), "abcdefgh",
     "unexpected size for input 'x', expecting 18446744073709551607 additional bytes for model "
     "'m'"},
    {"too many bytes", request(x("[1,2]", binary(8))), "abcdefghi",
     "unexpected additional input data for model 'm'"},
    {"raw bytes without a length of the JSON", request(x("[1,2]", binary(8))), "-",
     "unexpected size for input 'x', expecting 8 additional bytes for model 'm'"},
    {"a size that is no integer", request(x("[1,2]", R"("parameters":{"binary_data_size":1.5})")),
     "-", "inputs[0].parameters.binary_data_size: expected an integer from 0, got 1.5"},
    {"data in two places", request(x("[1,2]", binary(8) + R"(,"data":[1,2])")), "abcdefgh",
     "Input must set only one of the following fields: 'data', 'binary_data_size' in "
     "'parameters', 'shared_memory_region' in 'parameters'. But got 'data', 'binary_data_size'"},
    {"data nowhere", request(x("[1,2]", R"("more":1)")), "-",
     "Input must set only one of the following fields: 'data', 'binary_data_size' in "
     "'parameters', 'shared_memory_region' in 'parameters'. But got none"},
    {"shared memory", request(x("[1,2]", R"("parameters":{"shared_memory_region":"r"})")), "-",
     "Unable to find shared memory region: 'r'"},
    {"too few elements", request(x("[1,2]", R"("data":[1])")), "-",
     "Failed to parse 'data' field: shape does not match true shape (input 'x': expected 2 "
     "elements for shape [1, 2], got 1)"},
    {"too many elements", request(x("[1,2]", R"("data":[1,2,3])")), "-",
     "Unable to parse 'data': Shape does not match true shape of 'data' field (input 'x': "
     "expected 2 elements for shape [1, 2], got 3)"},
    {"an element of another kind", request(x("[1,2]", R"("data":[1,[1.5]])")), "-",
     "inputs[0].data[1]: expected an integer from -2147483648 to 2147483647 for \"x\" (int32 [-1, "
     "2]), got 1.5"},
    {"words where numbers are whole", request(x("[1,2]", R"("data":[1,NaN])")), "-",
     "inputs[0].data[1]: expected an integer from -2147483648 to 2147483647 for \"x\" (int32 [-1, "
     "2]), got a number that is not finite"},
    {"a shape that is too large", request(x("[2147483648,2147483648,4]", R"("data":[1])")), "-",
     "[request id: <id_unknown>] shape of input 'x' causes total element count to exceed maximum "
     "size of 9223372036854775807"},
    {"a shape that hides its size", request(x("[0,4611686018427387904,9]", R"("data":[])")), "-",
     "[request id: <id_unknown>] shape of input 'x' causes total element count to exceed maximum "
     "size of 9223372036854775807"},
    {"a negative axis", request(x("[-1,2]", R"("data":[1,2])")), "-",
     "inputs[0].shape[0]: expected an integer from 0, got -1"},
    {"an axis that is no integer", request(x("[1e30,2]", R"("data":[1,2])")), "-",
     "inputs[0].shape[0]: expected an integer from 0, got 1e+30"},
    {"an axis beyond the body", request(x("[100000000,2]", binary(0))), "",
     "inputs[0].shape[0]: expected at most 102, the bytes of the body, got 100000000"},
    {"no shape", request(x("[]", R"("data":[1])")), "-",
     "[request id: <id_unknown>] input 'x' has no shape but model requires batch dimension for "
     "'m'"},
    {"too many rows", request(x("[9,2]", binary(72))), std::string(72, 'a').c_str(),
     "[request id: <id_unknown>] inference request batch-size must be <= 8 for 'm'"},
    {"another type", request(input("x", "FP32", "[1,2]", R"("data":[1,2])")), "-",
     "[request id: <id_unknown>] inference input 'x' data-type is 'FP32', but model 'm' expects "
     "'INT32'"},
    {"another shape", request(x("[1,3]", R"("data":[1,2,3])")), "-",
     "[request id: <id_unknown>] unexpected shape for input 'x' for model 'm'. Expected [-1,2], "
     "got [1,3]. NOTE: -1 stands for any size."},
    {"another size", request(x("[1,2]", binary(10))), "abcdefghij",
     "[request id: <id_unknown>] input byte size mismatch for input 'x' for model 'm'. Expected "
     "8, got 10"},
    {"an unknown output", withOutput(R"({"name":"z"})"), "-",
     "[request id: <id_unknown>] unexpected inference output 'z' for model 'm'"},
    {"an output twice", withOutput(R"({"name":"y"},{"name":"y"})"), "-",
     "[request id: <id_unknown>] output 'y' already exists in request"},
    {"an output without a name", withOutput("{}"), "-",
     "outputs[0].name: expected a string, got nothing"},
    {"an output that is no object", withOutput("7"), "-", "outputs[0]: expected an object, got 7"},
    {"outputs that are no array", request(kGood, R"(,"outputs":{})"), "-",
     "outputs: expected an array of objects, got an object"},
    {"an output in shared memory",
     withOutput(R"({"name":"y","parameters":{"shared_memory_region":"r"}})"), "-",
     "Unable to find shared memory region: 'r'"},
    {"classes in shared memory",
     withOutput(R"({"name":"y","parameters":{"shared_memory_region":"r","classification":1}})"),
     "-",
     "outputs[0].parameters: expected shared_memory_region without classification and "
     "binary_data, got both"},
    {"classes below none", withOutput(R"({"name":"y","parameters":{"classification":-1}})"), "-",
     "outputs[0].parameters.classification: expected an integer from 0, got -1"},
    {"a flag that is a string", withParameters(R"("binary_data_output":"true")"), "-",
     R"(parameters.binary_data_output: expected true or false, got the string "true")"},
    {"a nested parameter", withParameters(R"("own":[1])"), "-",
     "parameters.own: expected a string, a number, true or false, got an array of 1"},
    {"a reserved parameter", withParameters(R"("triton_x":1)"), "-",
     "parameter keys starting with 'triton_' are reserved for Triton usage and should not be "
     "specified."},
};

const check::AddEach kRefused(kBad, [](const BadCase& row) {
  const auto schema = batchable(test::identity(ElementType::kInt32, {-1, 2}));
  const auto read = row.chunks == "-" ? readV2(row.json, std::nullopt, schema)
                                      : readV2(row.json + row.chunks, row.json.size(), schema);
  check::failed(read, infer::ErrorCode::kBadInput, row.says);
});

struct StringCase {
  const char* name;
  std::string chunk;
  const char* says;
};

const std::vector<StringCase> kStringCases = {
    {"too few strings", test::bytes("\1\0\0\0a"),
     "expected 2 string elements for inference input 'x' for model 'm', got 1"},
    {"too many strings", test::bytes("\0\0\0\0\0\0\0\0\0\0\0\0"),
     "unexpected number of string elements 3 for inference input 'x' for model 'm', expecting 2"},
    {"a length cut short", test::bytes("\0\0\0\0\1\0"),
     "incomplete string length indicator for inference input 'x' for model 'm', expecting 4 bytes "
     "but only 2 bytes available"},
    {"a string cut short",
     test::bytes("\xff\xff\xff\xff"
                 "abc"),
     "incomplete string data for inference input 'x' for model 'm', expecting string of length "
     "4294967295 but only 3 bytes available"},
};

const check::AddEach kBadStrings(kStringCases, [](const StringCase& row) {
  const std::string json = request(input("x", "BYTES", "[2]", binary(row.chunk.size())));
  const auto answer = echoBinary(json, row.chunk, test::identity(ElementType::kString, {-1}));
  check::equal(answer.text, test::bytes("[request id: <id_unknown>] ") + row.says, "the error");
});

const check::Add kBools("bytes that are no truth values are refused", [] {
  const auto answer = echoBinary(request(input("x", "BOOL", "[3]", binary(3))),
                                 test::bytes("\0\1\2"), test::identity(ElementType::kBool, {-1}));
  check::equal(answer.text,
               "[request id: <id_unknown>] input \"x\": expected bytes of 0 or 1 (bool), got 2 at "
               "byte 2",
               "the error");
});

const check::Add kRows("inputs of a batchable model have the same number of rows", [] {
  const std::string body = request(input("a", "FP32", "[2,2]", R"("data":[1,2,3,4])") + "," +
                                   input("b", "INT64", "[1,1]", R"("data":[1])"));
  check::equal(echoJson(body, batchable(test::twoInputs())),
               "[request id: <id_unknown>] input 'b' batch size does not match other inputs for "
               "'m'",
               "the error");
});

const check::Add kMany("a million outputs are refused at the second of one name", [] {
  std::string outputs = R"({"name":"y"})";
  for (int i = 1; i < 1'000'000; ++i) {
    outputs += R"(,{"name":"y"})";
  }
  check::equal(echoJson(withOutput(outputs), test::identity(ElementType::kInt32, {-1, 2})),
               "[request id: <id_unknown>] output 'y' already exists in request", "the error");
});

const check::Add kDeep("nesting has a limit", [] {
  const auto schema = test::identity(ElementType::kInt32, {-1});
  const auto nested = [&](std::size_t depth) {
    return echoJson(
        request(input("x", "INT32", "[1]",
                      R"("data":)" + std::string(depth, '[') + "1" + std::string(depth, ']'))),
        schema);
  };
  check::equal(nested(50),
               R"({"model_name":"m","model_version":"1","outputs":[)"
               R"({"name":"y","datatype":"INT32","shape":[1],"data":[1]}]})",
               "within it");
  for (const std::size_t depth : {std::size_t{120}, std::size_t{10'000}, std::size_t{1'000'000}}) {
    check::that(nested(depth).starts_with("body: expected at most 100 levels of nesting"),
                "beyond it");
  }
});

}  // namespace
