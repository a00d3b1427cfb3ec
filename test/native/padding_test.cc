// SPDX-License-Identifier: Apache-2.0
// Which models can be padded, what padding consists of, and that no answer shows it.
#include "native/scheduler/padding.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/scheduler/batch.h"
#include "native/scheduler/pad_value.h"
#include "native/scheduler/queue.h"
#include "test/native/check.h"
#include "test/native/tensors.h"

namespace {

using infer::ElementType;
using infer::ErrorCode;
using infer::kFreeAxis;
using infer::Padding;
using infer::PadRule;
using infer::Requests;
using infer::Shape;
using infer::Signature;
using infer::Tensor;
using infer::TensorSpec;

TensorSpec specOf(const char* name, ElementType type, Shape shape, std::vector<std::string> axes) {
  return {.name = name,
          .type = type,
          .shape = std::move(shape),
          .batchAxis = axes.front(),
          .axisNames = std::move(axes)};
}

// ids [batch, seq] and its mask, and an input and outputs of other axes.
Signature encoder() {
  return {.inputs = {specOf("ids", ElementType::kInt64, {-1, -1}, {"batch", "seq"}),
                     specOf("mask", ElementType::kFloat32, {-1, -1}, {"batch", "seq"}),
                     specOf("scale", ElementType::kFloat32, {-1, 1}, {"batch", ""})},
          .outputs = {specOf("hidden", ElementType::kFloat32, {-1, -1, 2}, {"batch", "seq", ""}),
                      specOf("pooled", ElementType::kFloat32, {-1, 2}, {"batch", ""})}};
}

const std::vector<PadRule> kRules = {{"ids", 7, "mask"}};

struct RefusedCase {
  const char* name;
  std::vector<PadRule> rules;
  std::function<void(Signature&)> change;
  const char* message;
};

const std::vector<RefusedCase> kRefused = {
    {"an input that is not there",
     {{"id", 0, ""}},
     {},
     "batching.padding: the model has no input \"id\"; its inputs are \"ids\", \"mask\", "
     "\"scale\""},
    {"a mask that is not there",
     {{"ids", 0, "masks"}},
     {},
     "batching.padding.ids.mask: the model has no input \"masks\""},
    {"strings",
     {{"ids", 0, ""}},
     [](Signature& signature) { signature.inputs[0].type = ElementType::kString; },
     "batching.padding.ids: expected an input of numbers, got string [?, ?]"},
    {"an input without a free axis beside the batch axis",
     {{"scale", 0, ""}},
     {},
     "batching.padding.scale: expected an input with a free axis beside axis 0, got float32 [?, "
     "1]"},
    {"a value that the type does not hold",
     {{"ids", 0.5, "mask"}},
     {},
     "batching.padding.ids.value: expected a value of int64, got 0.5"},
    {"a mask of another type",
     {{"ids", 0, "mask"}},
     [](Signature& signature) { signature.inputs[1].type = ElementType::kUInt8; },
     "batching.padding.ids.mask: expected an input of float32, int64, int32 or bool"},
    {"a mask of other axes",
     {{"ids", 0, "mask"}},
     [](Signature& signature) { signature.inputs[1].axisNames[1] = "other"; },
     "batching.padding.ids.mask: expected the free axes of \"ids\", got \"mask\""},
    {"a mask that is padded itself",
     {{"ids", 0, "mask"}, {"mask", 0, ""}},
     {},
     "that is not padded itself"},
    {"an input of the same axis without a value",
     {{"ids", 0, ""}},
     {},
     "batching.padding: expected a value for the input \"mask\" too, whose axis 1 is the padded "
     "axis "
     "\"seq\""},
    {"a padded axis that is the batch axis",
     {{"ids", 0, "mask"}},
     [](Signature& signature) { signature.inputs[0].axisNames[1] = "batch"; },
     "batching.padding"},
    {"an output whose free axis has no name",
     {{"ids", 0, "mask"}},
     [](Signature& signature) { signature.outputs[0].axisNames[1] = ""; },
     "got \"hidden\", float32 [?, ?, 2], axis 1 without a name"},
    {"an output whose free axis no input has",
     {{"ids", 0, "mask"}},
     [](Signature& signature) { signature.outputs[0].axisNames[1] = "seq + 1"; },
     "got \"hidden\", float32 [?, ?, 2], axis 1 \"seq + 1\""},
    {"an output of strings to cut back",
     {{"ids", 0, "mask"}},
     [](Signature& signature) { signature.outputs[0].type = ElementType::kString; },
     "expected outputs of numbers"},
};

const check::AddEach kRefusals(kRefused, [](const RefusedCase& row) {
  Signature signature = encoder();
  if (row.change) {
    row.change(signature);
  }
  check::failed(infer::resolvePadding(row.rules, signature, true), ErrorCode::kBadInput,
                row.message);
});

const check::Add kNotBatchable("padding needs a model whose requests share runs", [] {
  check::failed(infer::resolvePadding(kRules, encoder(), false), ErrorCode::kBadInput,
                "cannot share a run");
  check::succeeded(infer::resolvePadding({}, encoder(), false), "no padding");
});

struct ValueCase {
  const char* name;
  ElementType type;
  double value;
  std::optional<std::uint64_t> bits;  // little endian; the floats by IEEE 754
};

const std::vector<ValueCase> kValues = {
    {"1.5 as float32", ElementType::kFloat32, 1.5, 0x3FC00000},
    {"-2 as float64", ElementType::kFloat64, -2, 0xC000000000000000},
    {"1 as float16", ElementType::kFloat16, 1, 0x3C00},
    {"-1 as float16", ElementType::kFloat16, -1, 0xBC00},
    {"the largest float16", ElementType::kFloat16, 65504, 0x7BFF},
    {"what rounds to the largest float16", ElementType::kFloat16, 65519, 0x7BFF},
    {"what rounds beyond it is refused", ElementType::kFloat16, 65520, std::nullopt},
    {"the smallest float16", ElementType::kFloat16, 5.9604644775390625e-8, 0x0001},
    {"the largest float16 below the normal ones", ElementType::kFloat16, 6.097555160522461e-5,
     0x03FF},
    {"0 as float16", ElementType::kFloat16, 0, 0x0000},
    {"1 as bfloat16", ElementType::kBFloat16, 1, 0x3F80},
    {"the largest bfloat16", ElementType::kBFloat16, 3.3895313892515355e38, 0x7F7F},
    {"-1 as int8", ElementType::kInt8, -1, 0xFF},
    {"-128 as int8", ElementType::kInt8, -128, 0x80},
    {"128 as int8 is refused", ElementType::kInt8, 128, std::nullopt},
    {"-32768 as int16", ElementType::kInt16, -32768, 0x8000},
    {"-1 as int32", ElementType::kInt32, -1, 0xFFFFFFFF},
    {"2^53 as int64", ElementType::kInt64, 9007199254740992.0, 0x20000000000000},
    {"2^63 as int64 is refused", ElementType::kInt64, 9223372036854775808.0, std::nullopt},
    {"255 as uint8", ElementType::kUInt8, 255, 0xFF},
    {"-1 as uint8 is refused", ElementType::kUInt8, -1, std::nullopt},
    {"65535 as uint16", ElementType::kUInt16, 65535, 0xFFFF},
    {"2^32 as uint32 is refused", ElementType::kUInt32, 4294967296.0, std::nullopt},
    {"2^63 as uint64", ElementType::kUInt64, 9223372036854775808.0, 0x8000000000000000},
    {"1 as bool", ElementType::kBool, 1, 1},
    {"2 as bool is refused", ElementType::kBool, 2, std::nullopt},
    {"strings have none", ElementType::kString, 0, std::nullopt},
};

const check::AddEach kElements(kValues, [](const ValueCase& row) {
  const auto element = infer::elementOf(row.value, row.type);
  check::equal(element.has_value(), row.bits.has_value(), "whether the type holds it");
  if (element && row.bits) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, element->data(), sizeof(bits));
    check::equal(bits, *row.bits, "the bits");
  }
});

Padding encoderPadding() {
  return infer::resolvePadding(kRules, encoder(), true).value();
}

// `rows` rows of `length` ids that count up from `first`; a mask of ones but for the last id of
// each row, or none.
std::unique_ptr<infer::Request> requestOf(std::int64_t rows, std::int64_t length,
                                          std::int64_t first, bool withMask = false) {
  auto request = std::make_unique<infer::Request>();
  std::vector<std::int64_t> ids(static_cast<std::size_t>(rows * length));
  std::ranges::generate(ids, [&first] { return first++; });
  request->inputs.push_back(test::tensorOf(ElementType::kInt64, {rows, length}, ids));
  request->inputs.emplace_back();
  if (withMask) {
    std::vector<float> mask(ids.size(), 1);
    for (std::size_t at = 0; at < mask.size(); ++at) {
      mask[at] = (at + 1) % static_cast<std::size_t>(length) == 0 ? 0.0F : 1.0F;
    }
    request->inputs.back() = test::floats({rows, length}, mask);
  }
  request->inputs.push_back(
      test::floats({rows, 1}, std::vector<float>(static_cast<std::size_t>(rows), 2)));
  return request;
}

const check::Add kMeasured("requests of different lengths have equal tails", [] {
  const Padding padding = encoderPadding();
  const auto request = requestOf(2, 3, 1);
  check::succeeded(infer::measure(*request, encoder(), padding), "a request");
  check::equal(request->rows, 2, "rows");
  check::equal(request->tail, Shape{1}, "a tail of what is not padded");
  check::equal(request->lengths, Shape{3}, "its length");
  check::that(test::same(request->inputs[1], test::floats({2, 3}, {1, 1, 1, 1, 1, 1})),
              "a mask of ones");
});

const check::Add kMaskTail("requests with and without their mask can share a run", [] {
  Signature signature = encoder();
  signature.inputs[1] = specOf("mask", ElementType::kFloat32, {-1, -1, 1}, {"batch", "seq", ""});
  const Padding padding = infer::resolvePadding(kRules, signature, true).value();
  const auto without = requestOf(2, 3, 1);
  const auto with = requestOf(2, 4, 1);
  with->inputs[1] = test::floats({2, 4, 1}, std::vector<float>(8, 1));
  for (const auto* request : {&without, &with}) {
    check::succeeded(infer::measure(**request, signature, padding), "a request");
  }
  check::equal(with->tail, without->tail, "equal tails");
  check::equal(without->inputs[1].shape, Shape{2, 3, 1}, "the shape of the mask that was made");
});

const check::Add kOneMask("one mask serves two inputs of the same axis", [] {
  Signature signature = encoder();
  signature.inputs[2] = specOf("types", ElementType::kInt64, {-1, -1}, {"batch", "seq"});
  const auto padding =
      infer::resolvePadding({{"ids", 7, "mask"}, {"types", 5, "mask"}}, signature, true);
  if (!check::succeeded(padding, "padding")) {
    return;
  }
  Requests requests;
  for (const std::int64_t length : {1, 2}) {
    requests.push_back(requestOf(1, length, 10));
    requests.back()->inputs[2] = requests.back()->inputs[0];
    check::succeeded(infer::measure(*requests.back(), signature, padding.value()), "a request");
  }
  const infer::Batch batch = infer::pack(requests, infer::shapeOf(requests, {}, padding.value()));
  const auto ids = [](std::int64_t pad) {
    return test::tensorOf<std::int64_t>(ElementType::kInt64, {2, 2}, {10, pad, 10, 11});
  };
  check::that(test::same(batch.inputs[0], ids(7)), "ids filled up with 7");
  check::that(test::same(batch.inputs[2], ids(5)), "types filled up with 5");
  check::that(test::same(batch.inputs[1], test::floats({2, 2}, {1, 0, 1, 1})), "one mask of both");
});

const check::Add kWrongMask("a mask of another length than its input is refused", [] {
  const auto request = requestOf(2, 3, 1, true);
  request->inputs[1] = test::floats({2, 4}, std::vector<float>(8));
  check::failed(infer::measure(*request, encoder(), encoderPadding()), ErrorCode::kBadInput,
                "input \"mask\": expected 3 along axis 1 (seq) as in another input, got 4");
});

const check::Add kWrongRows("inputs of different rows are refused", [] {
  const auto request = requestOf(2, 3, 1);
  request->inputs[2] = test::floats({3, 1}, std::vector<float>(3));
  check::failed(infer::measure(*request, encoder(), encoderPadding()), ErrorCode::kBadInput,
                "input \"scale\": expected 2 rows as in \"ids\", got 3");
});

Requests threeRequests() {
  Requests requests;
  requests.push_back(requestOf(1, 2, 10, true));
  requests.push_back(requestOf(2, 3, 20));
  requests.push_back(requestOf(1, 0, 30));
  for (const auto& request : requests) {
    check::succeeded(infer::measure(*request, encoder(), encoderPadding()), "a request");
  }
  return requests;
}

const check::Add kFilled("what is short is filled up with the value, masks with 0", [] {
  const Padding padding = encoderPadding();
  const Requests requests = threeRequests();
  const std::vector<std::int64_t> buckets = {5};
  const infer::BatchShape shape = infer::shapeOf(requests, buckets, padding);
  check::equal(shape.lengths, Shape{3}, "the longest");
  const infer::Batch batch = infer::pack(requests, shape);
  check::equal(batch.rows, 5, "rows of the bucket");
  check::that(
      test::same(batch.inputs[0], test::tensorOf<std::int64_t>(
                                      ElementType::kInt64, {5, 3},
                                      {10, 11, 7, 20, 21, 22, 23, 24, 25, 7, 7, 7, 10, 11, 7})),
      "ids, filled up with 7, and row 0 again");
  check::that(test::same(batch.inputs[1],
                         test::floats({5, 3}, {1, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 0, 0})),
              "the caller's mask and those that were made, filled up with 0");
  check::equal(batch.inputs[2].shape, Shape{5, 1}, "what is not padded");
});

// hidden = (id, -id), pooled = the row's number.
infer::Outputs run(const infer::Batch& batch) {
  const auto ids = test::valuesOf<std::int64_t>(batch.inputs[0]);
  const Shape shape = batch.inputs[0].shape;
  std::vector<float> hidden;
  for (const std::int64_t id : ids) {
    hidden.push_back(static_cast<float>(id));
    hidden.push_back(-static_cast<float>(id));
  }
  std::vector<float> pooled;
  for (std::int64_t row = 0; row < shape[0]; ++row) {
    pooled.insert(pooled.end(), 2, static_cast<float>(row));
  }
  return {test::floats({shape[0], shape[1], 2}, hidden), test::floats({shape[0], 2}, pooled)};
}

const check::Add kCut("outputs are cut back to the length of each request", [] {
  const Padding padding = encoderPadding();
  const Requests requests = threeRequests();
  const std::vector<std::int64_t> buckets = {5};
  const infer::BatchShape shape = infer::shapeOf(requests, buckets, padding);
  check::succeeded(infer::split(run(infer::pack(requests, shape)), requests, shape), "a split");
  const auto output = [&requests](std::size_t request, std::size_t at) {
    return requests[request]->result.value()[at];
  };
  check::that(test::same(output(0, 0), test::floats({1, 2, 2}, {10, -10, 11, -11})), "two ids");
  check::that(test::same(output(1, 0), test::floats({2, 3, 2}, {20, -20, 21, -21, 22, -22, 23, -23,
                                                                24, -24, 25, -25})),
              "two rows of three ids");
  check::that(test::same(output(2, 0), test::floats({1, 0, 2}, {})), "no id");
  check::that(test::same(output(1, 1), test::floats({2, 2}, {1, 1, 2, 2})), "rows 1 and 2");
});

const check::Add kOtherLength("an output of another length than the batch fails it", [] {
  const Padding padding = encoderPadding();
  const Requests requests = threeRequests();
  const infer::BatchShape shape = infer::shapeOf(requests, {}, padding);
  infer::Outputs outputs = {test::floats({4, 2, 2}, std::vector<float>(16)),
                            test::floats({4, 2}, std::vector<float>(8))};
  check::failed(infer::split(std::move(outputs), requests, shape), ErrorCode::kEngineFailed,
                "an output of shape [4, 2, 2] for inputs padded to the lengths [3]");
});

const check::Add kMoved("a single request is not padded", [] {
  Requests requests;
  requests.push_back(requestOf(2, 3, 1));
  const Padding padding = encoderPadding();
  check::succeeded(infer::measure(*requests.front(), encoder(), padding), "a request");
  const std::byte* before = requests.front()->inputs[0].bytes.data();
  const infer::Batch batch = infer::pack(requests, infer::shapeOf(requests, {}, padding));
  check::that(batch.inputs[0].bytes.data() == before, "the same memory");
});

const check::Add kNoName("axes without names are lengths of their own", [] {
  Signature signature = encoder();
  for (auto* side : {&signature.inputs, &signature.outputs}) {
    for (TensorSpec& spec : *side) {
      spec.axisNames.assign(spec.shape.size(), "");
    }
  }
  signature.outputs.erase(signature.outputs.begin());
  const auto padding = infer::resolvePadding(kRules, signature, true);
  if (check::succeeded(padding, "padding")) {
    check::equal(padding.value().names, std::vector<std::string>{"axis 1 of ids"}, "the lengths");
    check::equal(padding.value().inputs[1].lengths[1].value_or(9), std::size_t{0},
                 "the length of the mask");
  }
});

}  // namespace
