// SPDX-License-Identifier: Apache-2.0
// What a model takes and gives as JSON, by the name that it is served under.
// Threads: constant once made.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"

namespace infer::codec {

// Shared by the handle of a model and its answers on their way, which end independently.
struct Schema {
  std::string name;
  std::string version;
  std::vector<TensorSpec> inputs;  // with the axes fixed that the caller fixes beyond the file
  std::vector<TensorSpec> outputs;
  std::int64_t maxRows = std::numeric_limits<std::int64_t>::max();  // of one request
  std::string maxRowsKey = {};                                      // the option that says so
  // Names of the classes that each output scores, by its index; may be shorter, and empty.
  std::vector<std::vector<std::string>> labels = {};
  bool batchable = false;  // axis 0 is the same batch axis for all inputs
};

// The name that the Open Inference Protocol has for a type.
std::string_view datatypeOf(ElementType type);

// Rows within the limit, and the same number of them in every input of a batchable model.
Result<void> checkRows(const Schema& schema, const std::vector<Tensor>& inputs);

}  // namespace infer::codec
