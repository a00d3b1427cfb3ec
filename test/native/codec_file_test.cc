// SPDX-License-Identifier: Apache-2.0
// Outputs to CSV, NPY and NPZ, and what these cannot hold.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/codec/answer.h"
#include "native/codec/npy.h"
#include "native/codec/stored_zip.h"
#include "test/native/check.h"
#include "test/native/codec_fixture.h"
#include "test/native/tensors.h"

namespace {

using infer::ElementType;
using infer::Outputs;
using infer::Tensor;
using infer::codec::Format;
using infer::codec::kTensors;
using test::floats;
using test::tensorOf;

std::string written(const test::SchemaPtr& schema, const Outputs& outputs, Format format,
                    std::size_t maxBytes = std::numeric_limits<std::size_t>::max()) {
  const auto answer = infer::codec::makeAnswer(schema, {.form = kTensors}, format, maxBytes);
  const auto text = answer->write(outputs);
  return text.ok() ? text.value().text : text.error().message;
}

std::string written(const Tensor& output, Format format) {
  return written(test::identity(output.type, output.shape), {output}, format);
}

struct CsvCase {
  const char* name;
  Tensor tensor;
  std::string_view text;
};

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
const std::vector<CsvCase> kCsvs = {
    {"a table", floats({2, 2}, {1, 2.5, -3, 4}), "1,2.5\n-3,4\n"},
    {"a list", floats({3}, {1, 2, 3}), "1\n2\n3\n"},
    {"nothing", floats({0, 2}, {}), ""},
    {"what has no digits", floats({1, 3}, {kNan, kInfinity, -kInfinity}), "nan,inf,-inf\n"},
    {"the same as float16",
     tensorOf<std::uint16_t>(ElementType::kFloat16, {3}, {0x7e00, 0x7c00, 0xfc00}),
     "nan\ninf\n-inf\n"},
    {"truth values", tensorOf<std::uint8_t>(ElementType::kBool, {1, 2}, {1, 0}), "True,False\n"},
    {"64-bit integers in full",
     tensorOf<std::int64_t>(ElementType::kInt64, {1, 2}, {INT64_MIN, INT64_MAX}),
     "-9223372036854775808,9223372036854775807\n"},
    {"texts", test::strings({2, 3}, {"a", "b,c", "say \"hi\"", " d", "", "x\ny"}),
     "a,\"b,c\",\"say \"\"hi\"\"\"\n\" d\",\"\",\"x\ny\"\n"},
    {"texts that are no UTF-8", test::strings({1}, {"a\xff"}), "a\xef\xbf\xbd\n"},
    {"a scalar", floats({}, {1}),
     R"(output "y": expected one or two axes, which is what CSV has, got shape [])"},
    {"three axes", floats({1, 1, 1}, {1}),
     R"(output "y": expected one or two axes, which is what CSV has, got shape [1, 1, 1])"},
};

const check::AddEach kCsvWritten(kCsvs, [](const CsvCase& row) {
  check::equal(written(row.tensor, Format::kCsv), row.text, "the text");
});

struct NpyCase {
  const char* name;
  Tensor tensor;
  std::string_view header;  // without what pads it
};

const std::vector<NpyCase> kNpys = {
    {"a table", floats({2, 1}, {1, 2}),
     "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }"},
    {"a list", tensorOf<std::int64_t>(ElementType::kInt64, {2}, {1, 2}),
     "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }"},
    {"a scalar", tensorOf<std::uint8_t>(ElementType::kBool, {}, {1}),
     "{'descr': '|b1', 'fortran_order': False, 'shape': (), }"},
    {"nothing", tensorOf<std::uint16_t>(ElementType::kFloat16, {0, 3}, {}),
     "{'descr': '<f2', 'fortran_order': False, 'shape': (0, 3), }"},
    {"many axes",
     floats({1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, {1}),
     "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, "
     "1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), }"},
};

// Source: NumPy Enhancement Proposal 1.
const check::AddEach kNpyWritten(kNpys, [](const NpyCase& row) {
  const std::string file = written(row.tensor, Format::kNpy);
  check::equal(file.size(), infer::codec::npyBytes(row.tensor), "the size that was told");
  check::equal(file.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8), "magic and version");
  const std::size_t length =
      static_cast<unsigned char>(file[8]) + 256U * static_cast<unsigned char>(file[9]);
  const std::size_t start = 10 + length;
  check::equal(start % 64, std::size_t{0}, "the alignment of the elements");
  const std::string header = file.substr(10, length);
  check::equal(header.substr(0, row.header.size()), row.header, "the dictionary");
  check::equal(header.find_first_not_of(' ', row.header.size()), length - 1,
               "spaces up to the break");
  check::equal(header.back(), '\n', "the break");
  const std::string_view elements(reinterpret_cast<const char*>(row.tensor.bytes.data()),
                                  row.tensor.bytes.size());
  check::equal(file.substr(start), std::string(elements), "the elements");
});

const check::Add kBrain("bfloat16 becomes float32 in NPY", [] {
  const std::string file =
      written(tensorOf<std::uint16_t>(ElementType::kBFloat16, {1}, {0x3fc0}), Format::kNpy);
  check::contains(file, "'<f4'");
  check::equal(file.substr(file.size() - 4), std::string("\x00\x00\xc0\x3f", 4), "1.5");
});

const check::Add kTexts("texts are not written to NPY and NPZ", [] {
  for (const Format format : {Format::kNpy, Format::kNpz}) {
    check::equal(written(test::strings({1}, {"a"}), format),
                 R"(output "y": expected numbers, which is what NPY holds here, got strings)",
                 "a reason");
  }
});

const Outputs kTwo{floats({2}, {5, 6}), floats({2, 2}, {1, 2, 3, 4})};

const check::Add kAll("NPZ holds every output by name, CSV and NPY the first one", [] {
  const auto schema = test::twoInputs();
  check::equal(written(schema, kTwo, Format::kCsv), "5\n6\n", "CSV");
  check::equal(written(schema, kTwo, Format::kNpy), written(kTwo[0], Format::kNpy), "NPY");
  const std::string zip = written(schema, kTwo, Format::kNpz);
  check::contains(zip, "sum.npy" + written(kTwo[0], Format::kNpy));
  check::contains(zip, "twice.npy" + written(kTwo[1], Format::kNpy));
  check::equal(written(schema, kTwo, Format::kJson), R"({"sum":[5,6],"twice":[[1,2],[3,4]]})",
               "JSON");
});

const check::Add kAsked("a file holds the outputs that V2 asks for", [] {
  const auto read = test::readBody(
      R"({"outputs":[{"name":"twice"}],"inputs":[{"name":"a","shape":[2,2],"datatype":"FP32","data":[1,2,3,4]},)"
      R"({"name":"b","shape":[2,1],"datatype":"INT64","data":[1,2]}]})",
      test::twoInputs(), infer::codec::kAllForms, Format::kCsv);
  if (check::succeeded(read, "a request")) {
    const auto text = read.value().answer->write(kTwo);
    check::equal(text.ok() ? text.value().text : text.error().message, "1,2\n3,4\n", "twice");
  }
});

const check::Add kLarge("a file over its limit is refused before it is written", [] {
  const auto schema = test::identity(ElementType::kFloat32, {-1});
  for (const Format format : {Format::kCsv, Format::kNpy, Format::kNpz}) {
    check::contains(written(schema, {floats({2}, {1, 2})}, format, 20),
                    "body: expected rows whose answer has at most 20 bytes (maxResponseBytes), got "
                    "rows whose answer has about ");
  }
});

// Source: the check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms.
const check::Add kSum("the checksum is that of zip", [] {
  check::equal(infer::codec::crc32("123456789"), 0xcbf43926U, "the check value");
});

}  // namespace
