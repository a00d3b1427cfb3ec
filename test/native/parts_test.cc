// SPDX-License-Identifier: Apache-2.0
// Cutting parts off a request and joining their outputs, for every element type.
#include "native/scheduler/parts.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "test/native/check.h"
#include "test/native/tensors.h"

namespace {

using infer::ElementType;
using infer::Request;
using infer::Tensor;

// Seven rows of two elements, all different.
Tensor seven(ElementType type) {
  constexpr std::size_t kElements = 14;
  if (type == ElementType::kString) {
    std::vector<std::string> texts;
    texts.reserve(kElements);
    for (std::size_t i = 0; i < kElements; ++i) {
      texts.push_back(std::to_string(i) + " and a tail that does not lie in place");
    }
    return test::strings({7, 2}, std::move(texts));
  }
  std::vector<std::uint8_t> bytes(kElements * infer::elementTypeInfo(type).bytes);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(i);
  }
  return test::tensorOf(type, {7, 2}, bytes);
}

void fill(Request& request, ElementType type) {
  request.rows = 7;
  request.inputs = {seven(type), seven(type)};
}

const auto kTypes = test::everyType("parts of ", " join as they were cut, whichever ends first");

const check::AddEach kRoundTrip(kTypes, [](const test::TypeCase& row) {
  Request rest;
  fill(rest, row.type);
  auto first = infer::cutPart(rest, 3);
  auto second = infer::cutPart(rest, 2);
  infer::becomeLastPart(rest);
  check::equal(rest.rows, 2, "rows of the last part");
  check::equal(rest.offset, 5, "rows before it");
  // The model gives its inputs back.
  for (Request* part : {second.get(), &rest, first.get()}) {
    part->result = std::move(part->inputs);
    check::equal(infer::finishPart(*part), part == first.get(), "whether that was all");
  }
  const auto joined = infer::joinParts(*rest.whole);
  if (check::succeeded(joined, "a whole")) {
    check::equal(joined.value().size(), std::size_t{2}, "outputs");
    for (const Tensor& output : joined.value()) {
      check::that(test::same(output, seven(row.type)), "the rows as they were");
    }
  }
});

const check::Add kShared("parts share the memory of their request", [] {
  Request rest;
  fill(rest, ElementType::kFloat32);
  const std::byte* begin = rest.inputs.front().bytes.data();
  const auto first = infer::cutPart(rest, 3);
  infer::becomeLastPart(rest);
  check::that(first->inputs.front().bytes.data() == begin, "the first part where it was");
  check::that(rest.inputs.front().bytes.data() == begin + sizeof(float) * 3 * 2,
              "the last part behind it");
});

}  // namespace
