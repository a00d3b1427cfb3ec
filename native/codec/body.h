// SPDX-License-Identifier: Apache-2.0
// Bytes of a body in any format that is read here -> the inputs of a model, and what writes the
// answer. Threads: pure functions; any.
#pragma once

#include <memory>
#include <string_view>

#include "native/base/error.h"
#include "native/codec/json_request.h"
#include "native/codec/schema.h"

namespace infer::codec {

// `options.forms`: kLines or kCsv alone, else those of JSON. Otherwise as readJson().
Result<JsonRequest> readBody(std::string_view body, const std::shared_ptr<const Schema>& schema,
                             const JsonOptions& options);

}  // namespace infer::codec
