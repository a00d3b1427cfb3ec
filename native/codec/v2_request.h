// SPDX-License-Identifier: Apache-2.0
// Requests of the Open Inference Protocol as clients of Triton and KServe send them: JSON, raw
// tensors behind it, or the raw data of the only input; with the messages of Triton.
// Threads: pure functions; any.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "native/base/error.h"
#include "native/codec/json_request.h"
#include "native/codec/schema.h"

namespace infer::codec {

struct V2Options {
  // Of the JSON in front of the tensors, not above the body's. 0: the body is the data of the only
  // input. None: all of the body is JSON.
  std::optional<std::size_t> headerBytes;
  std::size_t maxResponseBytes = 0;  // of the answer, about
};

// The `detail` of an error about shared memory, which there is none of.
inline constexpr std::string_view kNoRegion = "no-shared-memory";

// Nothing of `body` is kept. Errors are kBadInput.
Result<JsonRequest> readV2(std::string_view body, const std::shared_ptr<const Schema>& schema,
                           const V2Options& options);

}  // namespace infer::codec
