// SPDX-License-Identifier: Apache-2.0
// The first mistake of a text, by a walk of its own.
#include "native/codec/syntax.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "native/base/error.h"
#include "native/codec/cursor.h"
#include "native/codec/text.h"
#include "native/codec/utf8.h"

namespace infer::codec {
namespace {

constexpr std::size_t kShown = 20;  // bytes of what stands where the mistake is

}  // namespace

bool isJsonText(std::string_view body) {
  return !body.empty() && isUtf8(body);
}

Error mistakeIn(std::string_view text, Numbers numbers, std::string_view where) {
  if (text.empty()) {
    return badInput(where, "JSON", "no bytes");
  }
  if (!isUtf8(text)) {
    return badInput(where, "JSON in UTF-8", "bytes that are not UTF-8");
  }
  Cursor cursor(text, 0, numbers);
  std::size_t at = 0;
  if (!cursor.skip(0)) {
    at = cursor.mistake();
    if (cursor.isTooDeep()) {
      return badInput(where, "at most " + std::to_string(kMaxDepth) + " levels of nesting",
                      "more at byte " + std::to_string(at));
    }
  } else {
    cursor.skipSpace();
    at = cursor.at();
  }
  std::string_view rest = text.substr(at);
  std::size_t shown = 0;
  while (shown < std::min(kShown, rest.size())) {
    shown += std::max<std::size_t>(sequenceLength(rest.substr(shown)), 1);
  }
  std::string got = rest.empty() ? "the end of the text" : quote(rest.substr(0, shown));
  got += " at position " + std::to_string(at);
  rest.remove_prefix(rest.starts_with('-') ? 1 : 0);
  for (const std::string_view word : {"NaN", "Infinity"}) {
    if (rest.starts_with(word)) {
      got += " (JSON has no NaN and no Infinity)";
    }
  }
  return badInput(where, "JSON", got);
}

}  // namespace infer::codec
