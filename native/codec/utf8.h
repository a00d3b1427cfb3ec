// SPDX-License-Identifier: Apache-2.0
// UTF-8 as RFC 3629 has it. Threads: pure functions; any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace infer::codec {

bool isAscii(std::string_view text);
bool isUtf8(std::string_view text);

// Bytes of the sequence that `text` begins with; 0 when it begins with none.
std::size_t sequenceLength(std::string_view text);

// `text` with U+FFFD for each byte that is in no sequence.
std::string toUtf8(std::string_view text);

// U+FFFD for a surrogate.
void appendCodePoint(std::string& out, std::uint32_t point);

}  // namespace infer::codec
