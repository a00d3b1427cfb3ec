// SPDX-License-Identifier: Apache-2.0
// A body that is the data of the only input and nothing else.
// Threads: pure functions; any.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "native/base/error.h"
#include "native/codec/json_request.h"
#include "native/codec/schema.h"

namespace infer::codec {

// One row of a batchable model; else the one axis that is free, if any, follows from the size. The
// answer has all outputs as bytes.
Result<JsonRequest> readRaw(std::string_view body, const std::shared_ptr<const Schema>& schema,
                            std::size_t maxResponseBytes);

}  // namespace infer::codec
