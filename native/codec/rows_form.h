// SPDX-License-Identifier: Apache-2.0
// Rows one by one: those of {"instances": [...]} as objects by input name, and those of JSON Lines.
// Threads: pure functions; any.
#pragma once

#include <string_view>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/cursor.h"
#include "native/codec/schema.h"

namespace infer::codec {

// `rows`: at the array, in a text that has been walked before. Where the model has one input, a row
// may also be what SageMaker's built-in algorithms take: {"features": value},
// {"data": {"features": {"values": [...]}}}, or the latter with "keys" and "shape" for a sparse
// row. Source: SageMaker's guide, "Common data formats for inference".
Result<std::vector<Tensor>> readNamedRows(Cursor rows, const Schema& schema);

// The same for a row on each line of any text, where lines that are blank do not count. Where the
// model has one input, a row may also be its bare value.
Result<std::vector<Tensor>> readLineRows(std::string_view text, const Schema& schema);

}  // namespace infer::codec
