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

// Of a text that is none, or in which a walk did not come to the end. `where`: what messages call
// it.
Error mistakeIn(std::string_view text, Numbers numbers = Numbers::kFinite,
                std::string_view where = "body");

}  // namespace infer::codec
