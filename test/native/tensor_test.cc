// SPDX-License-Identifier: Apache-2.0
// Shape arithmetic at its limits, shared bytes, and which signatures can be batched.
#include "native/base/tensor.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "native/base/error.h"
#include "test/native/check.h"

namespace {

using infer::Bytes;
using infer::ElementType;
using infer::ErrorCode;
using infer::Shape;
using infer::Signature;
using infer::TensorSpec;

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kTwoTo32 = 4'294'967'296;
constexpr std::int64_t kTwoTo62 = 4'611'686'018'427'387'904;

struct CountCase {
  const char* name;
  Shape shape;
  std::size_t count;
};

const std::vector<CountCase> kCounts = {
    {"a scalar has one element", {}, 1},
    {"dims multiply", {2, 3, 4}, 24},
    {"no rows are no elements", {0, 5}, 0},
    {"an inner axis of zero is no elements", {3, 0, 7}, 0},
    {"the largest tensor has an eighth of what a signed size can say", {kMost / 16}, kMost / 16},
};

const check::AddEach kCounted(kCounts, [](const CountCase& row) {
  const auto count = infer::elementCount(row.shape);
  if (check::succeeded(count, "a count")) {
    check::equal(count.value(), row.count, "elements");
  }
});

struct RefusedCase {
  const char* name;
  Shape shape;
  const char* message;
};

const std::vector<RefusedCase> kRefused = {
    {"a negative dim is refused", {2, -2}, "non-negative dims, got [2, -2]"},
    {"a free axis is no size", {infer::kFreeAxis}, "non-negative dims, got [?]"},
    {"a product that wraps to zero is refused", {kTwoTo32, kTwoTo32}, "too many elements"},
    {"a single dim above the limit is refused", {kMost / 16 + 1}, "too many elements"},
    {"the largest dim is refused", {kMost}, "too many elements"},
    {"a zero axis does not hide axes that are too large", {0, kTwoTo62, kTwoTo62}, "too many"},
    {"nor does one behind them", {kTwoTo62, kTwoTo62, 0}, "too many"},
};

const check::AddEach kOverflow(kRefused, [](const RefusedCase& row) {
  check::failed(infer::elementCount(row.shape), ErrorCode::kBadInput, row.message);
  check::failed(infer::byteSize(ElementType::kFloat64, row.shape), ErrorCode::kBadInput,
                row.message);
});

struct TypeCase {
  std::string_view name;
  ElementType type;
  std::size_t bytes;
};

// Sizes as IEEE 754, the C++ fixed-width types and the public names of the API have them.
constexpr std::array<TypeCase, 14> kTypes = {{
    {"float32", ElementType::kFloat32, 4},
    {"float64", ElementType::kFloat64, 8},
    {"float16", ElementType::kFloat16, 2},
    {"bfloat16", ElementType::kBFloat16, 2},
    {"int8", ElementType::kInt8, 1},
    {"int16", ElementType::kInt16, 2},
    {"int32", ElementType::kInt32, 4},
    {"int64", ElementType::kInt64, 8},
    {"uint8", ElementType::kUInt8, 1},
    {"uint16", ElementType::kUInt16, 2},
    {"uint32", ElementType::kUInt32, 4},
    {"uint64", ElementType::kUInt64, 8},
    {"bool", ElementType::kBool, 1},
    {"string", ElementType::kString, 0},
}};

const check::Add kTypeTable("every element type has its name and size", [] {
  for (const TypeCase& row : kTypes) {
    check::equal(infer::elementTypeInfo(row.type).name, row.name, "the name");
    const auto bytes = infer::byteSize(row.type, Shape{3, 5});
    check::equal(bytes.value(), 15 * row.bytes, "bytes of 15 " + std::string(row.name));
  }
  check::equal(infer::kElementTypes.size(), kTypes.size(), "element types");
});

const check::Add kText("a shape reads as people write it", [] {
  check::equal(infer::shapeText(Shape{}), "[]", "a scalar");
  check::equal(infer::shapeText(Shape{infer::kFreeAxis, 3, 224}), "[?, 3, 224]", "a free axis");
});

const check::Add kAligned("bytes begin on a cache line, also when there are none", [] {
  for (const std::size_t size : {0U, 1U, 63U, 64U, 65U, 4096U}) {
    const Bytes bytes = Bytes::allocate(size);
    check::that(bytes.data() != nullptr, "an address");
    check::equal(reinterpret_cast<std::uintptr_t>(bytes.data()) % 64, std::uintptr_t{0}, "offset");
    check::equal(bytes.size(), size, "bytes");
    std::memset(bytes.data(), 1, bytes.size());  // a sanitizer sees it when they are not there
  }
});

const check::Add kSlice("a slice keeps the memory of the whole", [] {
  Bytes part;
  {
    const Bytes whole = Bytes::allocate(100);
    std::memset(whole.data(), 7, whole.size());
    part = whole.slice(90, 10);
  }
  check::equal(part.size(), std::size_t{10}, "bytes");
  check::that(std::all_of(part.data(), part.data() + part.size(),
                          [](std::byte value) { return value == std::byte{7}; }),
              "what was written");
});

const check::Add kAdopt("adopted memory is given back with its last slice", [] {
  bool gone = false;
  std::byte memory{};
  {
    Bytes slice;
    {
      const std::shared_ptr<void> owner(nullptr, [&gone](void*) { gone = true; });
      slice = Bytes::adopt(owner, &memory, 1).slice(0, 1);
    }
    check::that(!gone, "the memory to stay");
    check::that(slice.data() == &memory, "the same address");
  }
  check::that(gone, "the memory to be given back");
});

struct ShapeCase {
  const char* name;
  Shape expected;
  Shape given;
  bool fits;
};

const std::vector<ShapeCase> kShapes = {
    {"fixed axes have to agree", {2, 3}, {2, 3}, true},
    {"a fixed axis that differs is refused", {2, 3}, {2, 4}, false},
    {"a free axis takes any size", {-1, 3}, {17, 3}, true},
    {"a free axis takes zero", {-1, 3}, {0, 3}, true},
    {"a free axis does not take a negative size", {-1, 3}, {-1, 3}, false},
    {"an axis too few is refused", {-1, 3}, {3}, false},
    {"an axis too many is refused", {-1, 3}, {1, 1, 3}, false},
    {"a scalar is a shape without axes", {}, {}, true},
    {"one element is not a scalar", {}, {1}, false},
};

const check::AddEach kChecked(kShapes, [](const ShapeCase& row) {
  const TensorSpec spec{"pixels", ElementType::kFloat32, row.expected, {}};
  const auto done = infer::checkShape(spec, row.given);
  check::equal(done.ok(), row.fits, "whether it fits");
  if (!row.fits) {
    check::failed(done, ErrorCode::kBadInput,
                  "input \"pixels\": expected shape " + infer::shapeText(row.expected) + ", got " +
                      infer::shapeText(row.given));
  }
});

using Axes = std::vector<std::optional<std::string>>;

struct BatchableCase {
  const char* name;
  Axes inputs;  // names of the free axes 0
  Axes outputs;
  bool freeRows;
  bool batchable;
};

const std::vector<BatchableCase> kBatchable = {
    {"one name on both sides can be batched", {"n"}, {"n"}, true, true},
    {"axes without names can be batched", {""}, {""}, true, true},
    {"an axis without a name goes with one that has one", {"n", ""}, {"", "n"}, true, true},
    {"two names cannot be batched", {"n", "m"}, {"n"}, true, false},
    {"another name of an output cannot be batched", {"n"}, {"m"}, true, false},
    {"two names around one that is missing cannot be batched", {"n", ""}, {"m"}, true, false},
    {"a fixed input axis cannot be batched", {"n", std::nullopt}, {"n"}, false, false},
    {"a fixed output axis cannot be batched", {"n"}, {"n", std::nullopt}, false, false},
    {"a model without inputs cannot be batched", {}, {"n"}, false, false},
    {"a model without outputs cannot be batched", {"n"}, {}, false, false},
};

std::vector<TensorSpec> specsOf(const Axes& axes) {
  std::vector<TensorSpec> specs;
  for (const auto& name : axes) {
    specs.push_back({"t", ElementType::kFloat32, {name ? infer::kFreeAxis : 2, 3}, name});
  }
  return specs;
}

const check::AddEach kBatches(kBatchable, [](const BatchableCase& row) {
  const Signature signature{specsOf(row.inputs), specsOf(row.outputs)};
  check::equal(infer::hasFreeRows(signature), row.freeRows, "free rows");
  check::equal(infer::isBatchable(signature), row.batchable, "batchable");
});

}  // namespace
