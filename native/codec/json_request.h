// SPDX-License-Identifier: Apache-2.0
// Bytes of a JSON body -> the inputs of a model, and what writes the answer in kind.
// Threads: pure functions; any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/codec/schema.h"

namespace infer::codec {

// The forms of a body, as bits.
enum Form : std::uint8_t {
  kV2 = 1,         // {"inputs": [{"name", "datatype", "shape", "data"}]}
  kInstances = 2,  // {"instances": [row, ...]}, a row as a value or as an object by input name
  kArray = 4,      // the only input as a nested array
};
inline constexpr unsigned kAllForms = 7;

struct JsonOptions {
  unsigned forms = kAllForms;        // that are taken
  std::size_t maxResponseBytes = 0;  // of the answer, about
};

struct JsonRequest {
  std::vector<Tensor> inputs;  // in the order of the schema, checked against it
  std::unique_ptr<EncodedAnswer> answer;
  TimeNs timeout = 0;  // that the request itself asks for; 0: none
};

// Nothing of `body` is kept. Errors are kBadInput and name the JSON path of what is wrong; text
// that is not JSON comes before everything else.
Result<JsonRequest> readJson(std::string_view body, const std::shared_ptr<const Schema>& schema,
                             const JsonOptions& options);

}  // namespace infer::codec
