// SPDX-License-Identifier: Apache-2.0
// Packing rows of requests and handing each its rows of the output, for every element type.
#include "native/scheduler/batch.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/scheduler/queue.h"
#include "test/native/check.h"
#include "test/native/tensors.h"

namespace {

using infer::ElementType;
using infer::ErrorCode;
using infer::Outputs;
using infer::Requests;
using infer::Shape;
using infer::Tensor;

// `rows` rows of three elements whose bytes count up from `first`.
Tensor counted(ElementType type, std::int64_t rows, int first) {
  const auto elements = static_cast<std::size_t>(rows) * 3;
  if (type == ElementType::kString) {
    std::vector<std::string> values;
    for (std::size_t i = 0; i < elements; ++i) {
      const auto number = std::to_string(first + static_cast<int>(i));
      values.push_back(i % 2 == 0 ? number : number + '\0' + "a text too long to lie in place");
    }
    return test::strings({rows, 3}, std::move(values));
  }
  std::vector<std::uint8_t> bytes(elements * infer::elementTypeInfo(type).bytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(first + static_cast<int>(i));
  }
  return test::tensorOf(type, {rows, 3}, bytes);
}

std::unique_ptr<infer::Request> requestOf(std::vector<Tensor> inputs) {
  auto request = std::make_unique<infer::Request>();
  request->rows = inputs.front().shape.empty() ? 1 : inputs.front().shape[0];
  request->inputs = std::move(inputs);
  return request;
}

void expectSame(const Tensor& got, const Tensor& expected, const std::string& what) {
  check::that(test::same(got, expected), what + " of shape " + infer::shapeText(expected.shape) +
                                             ", got " + infer::shapeText(got.shape));
}

const auto kTypes = test::everyType("rows of ", " come out of a batch as they went in");
const auto kPaddedTypes = test::everyType("padding of ", " repeats row 0 and is stripped");

// The model is one that gives its inputs back: then each output has to be the request's own input.
const check::AddEach kRoundTrip(kTypes, [](const test::TypeCase& row) {
  const std::vector<std::int64_t> rows = {1, 4, 0, 2, 0};
  Requests requests;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const int first = static_cast<int>(i) * 40;
    requests.push_back(
        requestOf({counted(row.type, rows[i], first), counted(row.type, rows[i], first + 20)}));
  }
  infer::Batch batch = infer::pack(requests, {infer::rowsOf(requests)});
  check::equal(batch.rows, 7, "rows");
  check::equal(batch.inputs.size(), std::size_t{2}, "inputs");
  check::equal(batch.inputs[0].shape, Shape{7, 3}, "a packed shape of [7, 3]");
  check::that(batch.inputs[0].type == row.type, "the element type");
  check::succeeded(infer::split(std::move(batch.inputs), requests, {infer::rowsOf(requests)}),
                   "a split");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const int first = static_cast<int>(i) * 40;
    const Outputs& outputs = requests[i]->result.value();
    expectSame(outputs[0], counted(row.type, rows[i], first), "the first output");
    expectSame(outputs[1], counted(row.type, rows[i], first + 20), "the second output");
  }
});

const check::Add kSingle("the inputs of a single request are moved, not copied", [] {
  Requests requests;
  requests.push_back(requestOf({counted(ElementType::kFloat32, 2, 0)}));
  const std::byte* before = requests.front()->inputs[0].bytes.data();
  const infer::Batch batch = infer::pack(requests, {infer::rowsOf(requests)});
  check::that(batch.inputs[0].bytes.data() == before, "the same memory");
  check::equal(batch.rows, 2, "rows");
});

const check::Add kKept("the inputs of several requests stay for a second attempt", [] {
  Requests requests;
  requests.push_back(requestOf({counted(ElementType::kString, 1, 0)}));
  requests.push_back(requestOf({counted(ElementType::kString, 2, 9)}));
  const infer::Batch first = infer::pack(requests, {infer::rowsOf(requests)});
  const infer::Batch second = infer::pack(requests, {infer::rowsOf(requests)});
  expectSame(second.inputs[0], first.inputs[0], "the same batch again");
});

const check::Add kEmpty("a batch without a single row has empty tensors", [] {
  Requests requests;
  requests.push_back(requestOf({counted(ElementType::kFloat32, 0, 0)}));
  requests.push_back(requestOf({counted(ElementType::kFloat32, 0, 0)}));
  infer::Batch batch = infer::pack(requests, {infer::rowsOf(requests)});
  check::equal(batch.inputs[0].shape, Shape{0, 3}, "a shape of [0, 3]");
  check::that(batch.inputs[0].bytes.data() != nullptr, "an address for the engine");
  check::succeeded(infer::split(std::move(batch.inputs), requests, {infer::rowsOf(requests)}),
                   "a split");
  check::equal(requests[1]->result.value()[0].shape, Shape{0, 3}, "an answer of [0, 3]");
});

const check::Add kScalar("a single request may have a scalar", [] {
  Requests requests;
  requests.push_back(requestOf({test::floats({}, {3})}));
  infer::Batch batch = infer::pack(requests, {infer::rowsOf(requests)});
  check::succeeded(infer::split(std::move(batch.inputs), requests, {infer::rowsOf(requests)}),
                   "a split");
  expectSame(requests[0]->result.value()[0], test::floats({}, {3}), "the scalar");
});

// Outputs of two rows of this many bytes each.
std::vector<Tensor> twoRows(std::size_t bytes) {
  return {test::tensorOf(ElementType::kUInt8, {2, static_cast<std::int64_t>(bytes)},
                         std::vector<std::uint8_t>(2 * bytes, 5))};
}

const check::Add kLarge("a large answer owns its memory, a small one shares the batch's", [] {
  for (const std::size_t bytes : {infer::kOwnSliceBytes - 1, infer::kOwnSliceBytes}) {
    Requests requests;
    requests.push_back(requestOf({test::floats({1, 1}, {0})}));
    requests.push_back(requestOf({test::floats({1, 1}, {0})}));
    auto outputs = twoRows(bytes);
    const std::byte* whole = outputs[0].bytes.data();
    check::succeeded(infer::split(std::move(outputs), requests, {infer::rowsOf(requests)}),
                     "a split");
    const Tensor& first = requests[0]->result.value()[0];
    check::equal(first.bytes.data() == whole, bytes < infer::kOwnSliceBytes, "shared memory");
    expectSame(first,
               test::tensorOf(ElementType::kUInt8, {1, static_cast<std::int64_t>(bytes)},
                              std::vector<std::uint8_t>(bytes, 5)),
               "a row");
  }
});

// Three rows of two requests in a run of five: the model gives its inputs back, and what went in
// beside the rows must not come out.
const check::AddEach kPadded(kPaddedTypes, [](const test::TypeCase& row) {
  Requests requests;
  requests.push_back(requestOf({counted(row.type, 2, 0)}));
  requests.push_back(requestOf({counted(row.type, 1, 100)}));
  infer::Batch batch = infer::pack(requests, {5});
  check::equal(batch.rows, 5, "rows of the run");
  check::equal(batch.inputs[0].shape, Shape{5, 3}, "a packed shape of [5, 3]");
  Tensor first = infer::takeRows(batch.inputs[0], 0, 1);
  for (const std::int64_t at : {3, 4}) {
    Tensor padding = infer::takeRows(batch.inputs[0], at, 1);
    expectSame(padding, counted(row.type, 1, 0), "a copy of row 0 as row " + std::to_string(at));
    // Strings were moved out.
    if (row.type == ElementType::kString) {
      std::ranges::copy(padding.strings, batch.inputs[0].strings.begin() + at * 3);
    }
  }
  if (row.type == ElementType::kString) {
    std::ranges::copy(first.strings, batch.inputs[0].strings.begin());
  }
  check::succeeded(infer::split(std::move(batch.inputs), requests, {5}), "a split");
  expectSame(requests[0]->result.value()[0], counted(row.type, 2, 0), "the first rows");
  expectSame(requests[1]->result.value()[0], counted(row.type, 1, 100), "the row behind them");
});

const check::Add kPaddedOne("a single request is padded in memory of its own", [] {
  Requests requests;
  requests.push_back(requestOf({counted(ElementType::kFloat32, 1, 3)}));
  infer::Batch batch = infer::pack(requests, {2});
  check::equal(batch.inputs[0].shape, Shape{2, 3}, "a shape of [2, 3]");
  expectSame(requests[0]->inputs[0], counted(ElementType::kFloat32, 1, 3), "the inputs as before");
  check::succeeded(infer::split(std::move(batch.inputs), requests, {2}), "a split");
  expectSame(requests[0]->result.value()[0], counted(ElementType::kFloat32, 1, 3), "its row");
});

const check::Add kPaddedNone("a run without a row of anybody has rows of zeros", [] {
  Requests requests;
  requests.push_back(
      requestOf({counted(ElementType::kInt32, 0, 0), counted(ElementType::kString, 0, 0)}));
  const infer::Batch batch = infer::pack(requests, {2});
  expectSame(batch.inputs[0],
             test::tensorOf(ElementType::kInt32, {2, 3}, std::vector<std::int32_t>(6)), "zeros");
  expectSame(batch.inputs[1], test::strings({2, 3}, std::vector<std::string>(6)), "empty strings");
});

struct WrongCase {
  const char* name;
  Shape shape;
  std::size_t elements;
};

const std::vector<WrongCase> kWrong = {
    {"an output of one row for a batch of two is an error", {1, 3}, 3},
    {"an output of more rows than went in is an error", {3, 1}, 3},
    {"a scalar output of a batch is an error", {}, 1},
};

const check::AddEach kWrongAxis(kWrong, [](const WrongCase& row) {
  Requests requests;
  requests.push_back(requestOf({test::floats({1, 1}, {0})}));
  requests.push_back(requestOf({test::floats({1, 1}, {0})}));
  std::vector<Tensor> outputs = {test::floats({2, 1}, {1, 2}),
                                 test::floats(row.shape, std::vector<float>(row.elements))};
  const auto done = infer::split(std::move(outputs), requests, {infer::rowsOf(requests)});
  check::failed(done, ErrorCode::kEngineFailed, infer::shapeText(row.shape));
  check::contains(done.error().message, "batch of 2 rows");
  for (const auto& request : requests) {
    check::that(request->result.ok() && request->result.value().empty(), "no result set");
  }
});

}  // namespace
