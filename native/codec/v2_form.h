// SPDX-License-Identifier: Apache-2.0
// Requests as JSON in the form of the Open Inference Protocol (KServe V2), with the messages that
// the other forms have. Threads: pure functions; any.
#pragma once

#include <initializer_list>
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

namespace infer::codec {

// The tensors in the order of the schema, once the whole text has been walked.
Result<std::vector<Tensor>> readV2Inputs(V2Entries& entries);

// The outputs that were asked for, in that order; empty for all of them. `cursor` is at the value
// of `outputs`, in a text that has been walked before; so for the next.
Result<std::vector<V2Output>> readV2Outputs(Cursor cursor, const Schema& schema);

// Options that change the meaning of the bytes must not be passed over in silence: an error when
// one of `names` is among the parameters and says anything but false or 0. `path`: of their owner,
// with the dot.
std::optional<Error> refuseParameters(Cursor cursor, const std::string& path,
                                      std::initializer_list<std::string_view> names);

}  // namespace infer::codec
