// SPDX-License-Identifier: Apache-2.0
// The rows of {"instances": [...]}, as objects by input name.
// Threads: pure functions; any.
#pragma once

#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/cursor.h"
#include "native/codec/schema.h"

namespace infer::codec {

// `rows`: at the array, in a text that has been walked before.
Result<std::vector<Tensor>> readNamedRows(Cursor rows, const Schema& schema);

}  // namespace infer::codec
