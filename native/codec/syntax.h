// SPDX-License-Identifier: Apache-2.0
// Whether a body is JSON, and why it is not.
// Threads: pure functions; any.
#pragma once

#include <string_view>

#include "native/base/error.h"
#include "native/codec/cursor.h"

namespace infer::codec {

// Something, and UTF-8: what a Cursor walks over.
bool isJsonText(std::string_view body);

// Of a body that is none, or in which a walk did not come to the end.
Error mistakeIn(std::string_view body, Numbers numbers = Numbers::kFinite);

}  // namespace infer::codec
