// SPDX-License-Identifier: Apache-2.0
// Wording of messages about JSON values and names that came from outside.
// Threads: pure functions; any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/cursor.h"

namespace infer::codec {

// `text`, which is UTF-8, as a JSON string.
void appendQuoted(std::string& out, std::string_view text);

// Cut after 60 characters, for a message.
std::string shortened(std::string_view text);

// That as a JSON string.
std::string quote(std::string_view text);

// Names for a message: `"a", "b"`; at most 20 of them, then how many more there are.
std::string quoteAll(std::span<const std::string_view> names);
std::vector<std::string_view> namesOf(std::span<const TensorSpec> specs);

// `[-1, 4]`
std::string dimsText(std::span<const std::int64_t> dims);

// `"features" (float32 [-1, 4])`
std::string specText(const TensorSpec& spec);

// The value that begins at `cursor`, for the "got ..." part of a message. The text has been walked
// before, so it is JSON.
std::string describe(Cursor cursor);

// How many elements the array has that begins at `cursor`, of such a text too.
std::size_t countElements(Cursor cursor);

// `path[index]`
std::string indexed(std::string_view path, std::size_t index);

// For outputs that would be an answer of about `bytes` bytes.
Error answerTooLarge(std::size_t maxBytes, std::size_t bytes);

// `where`: a JSON path; `expected`: what would have been right; `got`: what came.
Error badInput(std::string_view where, std::string_view expected, std::string_view got);

}  // namespace infer::codec
