// SPDX-License-Identifier: Apache-2.0
// Names of types, and rules across inputs.
#include "native/codec/schema.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/text.h"

namespace infer::codec {
namespace {

// In the order of ElementType. Source: Open Inference Protocol, "Tensor Data Types"; BF16 as
// Triton's clients use it.
constexpr std::array<std::string_view, kElementTypes.size()> kDatatypes = {
    "FP32",  "FP64",  "FP16",   "BF16",   "INT8",   "INT16", "INT32",
    "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "BOOL",  "BYTES"};

std::string rowsText(std::int64_t rows) {
  return std::to_string(rows) + " rows";
}

}  // namespace

std::string_view datatypeOf(ElementType type) {
  return kDatatypes[static_cast<std::size_t>(type)];
}

Result<void> checkRows(const Schema& schema, const std::vector<Tensor>& inputs) {
  std::int64_t first = -1;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const TensorSpec& spec = schema.inputs[i];
    if (spec.shape.empty() || spec.shape[0] != kFreeAxis) {
      continue;
    }
    const std::int64_t rows = inputs[i].shape[0];
    if (rows > schema.maxRows) {
      return badInput("input " + quote(spec.name),
                      "at most " + rowsText(schema.maxRows) + " (" + schema.maxRowsKey + ")",
                      rowsText(rows));
    }
    if (schema.batchable && first >= 0 && rows != first) {
      return badInput("input " + quote(spec.name),
                      rowsText(first) + " as in " + quote(schema.inputs[0].name), rowsText(rows));
    }
    first = rows;
  }
  return {};
}

}  // namespace infer::codec
