// SPDX-License-Identifier: Apache-2.0
// Bytes of a JSON body -> the inputs of a model, and what writes the answer in kind.
// Threads: pure functions; any.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/codec/answer.h"
#include "native/codec/schema.h"

namespace infer::codec {

struct JsonOptions {
  unsigned forms = kAllForms;        // that are taken
  std::size_t maxResponseBytes = 0;  // of the answer, about
  Format answer = Format::kJson;
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
