// SPDX-License-Identifier: Apache-2.0
// The `parameters` of a request in the form of the Open Inference Protocol, of its inputs and of
// its outputs.
// Threads: pure functions; any.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/codec/cursor.h"

namespace infer::codec {

struct V2RequestParameters {
  bool binaryOutput = false;  // what outputs are that do not say
  TimeNs timeout = 0;         // 0: none
};

struct V2InputParameters {
  std::optional<std::uint64_t> binaryBytes;
  std::optional<std::string> region;  // of shared memory
};

struct V2OutputParameters {
  std::optional<bool> isBinary;
  std::uint64_t classes = 0;
  std::optional<std::string> region;
};

// `cursor`: at the value, in a text that has been walked before. `owner`: the path of what they
// belong to, with a dot at its end, or empty. What is not known is passed over.
Result<V2RequestParameters> readRequestParameters(Cursor cursor);
Result<V2InputParameters> readInputParameters(Cursor cursor, const std::string& owner);
Result<V2OutputParameters> readOutputParameters(Cursor cursor, const std::string& owner);

}  // namespace infer::codec
