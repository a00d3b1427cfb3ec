// SPDX-License-Identifier: Apache-2.0
// One input, and the outputs, that a request of the Open Inference Protocol names.
// Threads: pure functions; any.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/cursor.h"
#include "native/codec/schema.h"
#include "native/codec/v2_answer.h"
#include "native/codec/v2_entries.h"
#include "native/codec/v2_parameters.h"
#include "native/codec/v2_words.h"

namespace infer::codec {

struct V2Place {
  std::size_t index = 0;  // of the entry
  std::size_t input = 0;  // of the schema
};

// `chunk`: its bytes; none: its data are in the JSON, which has been walked before.
Result<Tensor> readV2Tensor(const V2Words& words, V2Entries& entries, const V2Place& place,
                            std::optional<std::string_view> chunk);

// `cursor`: at the value of `outputs`. None listed: all of them.
Result<std::vector<V2Output>> readRequestedOutputs(const V2Words& words, Cursor cursor,
                                                   const Schema& schema,
                                                   const V2RequestParameters& parameters);
Result<std::vector<V2Output>> allOutputs(const Schema& schema,
                                         const V2RequestParameters& parameters);

// The string at `cursor`; empty for anything else.
std::string textAt(Cursor cursor);

}  // namespace infer::codec
