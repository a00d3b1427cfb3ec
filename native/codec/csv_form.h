// SPDX-License-Identifier: Apache-2.0
// Rows of comma-separated values as the only input of a model.
// Threads: pure functions; any.
#pragma once

#include <string_view>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/schema.h"

namespace infer::codec {

// A line is an entry of axis 0, its cells the elements behind it in row-major order. No header
// line; quotes as in RFC 4180; blank lines do not count; spaces around numbers do not either. An
// empty cell is NaN. `body` is UTF-8. Errors name line and column, which count from 1.
Result<std::vector<Tensor>> readCsv(std::string_view body, const Schema& schema);

}  // namespace infer::codec
