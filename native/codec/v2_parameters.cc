// SPDX-License-Identifier: Apache-2.0
// One table of names for each owner of parameters.
#include "native/codec/v2_parameters.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/codec/cursor.h"
#include "native/codec/number.h"
#include "native/codec/text.h"

namespace infer::codec {
namespace {

std::optional<bool> boolAt(Cursor cursor) {
  const Kind kind = cursor.peek();
  return kind == Kind::kTrue || kind == Kind::kFalse ? std::optional(kind == Kind::kTrue)
                                                     : std::nullopt;
}

std::optional<std::uint64_t> unsignedAt(Cursor cursor) {
  Number number;
  std::uint64_t value = 0;
  return cursor.peek() == Kind::kNumber && cursor.readNumber(number) && toInteger(number, value)
             ? std::optional(value)
             : std::nullopt;
}

std::optional<std::string> stringAt(Cursor cursor) {
  std::string scratch;
  std::string_view value;
  return cursor.peek() == Kind::kString && cursor.readString(value, scratch)
             ? std::optional(std::string(value))
             : std::nullopt;
}

// Calls `onParameter(name, value)`, which returns what is expected instead, or nothing.
template <typename OnParameter>
std::optional<Error> eachParameter(Cursor cursor, const std::string& owner,
                                   OnParameter onParameter) {
  if (cursor.peek() != Kind::kObject) {
    return badInput(owner + "parameters", "an object", describe(cursor));
  }
  std::optional<Error> wrong;
  eachMember(cursor, [&](std::string_view name) {
    const std::string_view expected = onParameter(name, cursor);
    if (!expected.empty()) {
      wrong = badInput(owner + "parameters." + shortened(name), expected, describe(cursor));
    }
    return !wrong && cursor.skip(0);
  });
  return wrong;
}

constexpr std::string_view kUnsigned = "an integer from 0";
constexpr std::string_view kBool = "true or false";

bool isScalar(Cursor cursor) {
  switch (cursor.peek()) {
    case Kind::kString:
    case Kind::kNumber:
    case Kind::kTrue:
    case Kind::kFalse:
      return true;
    default:
      return false;
  }
}

TimeNs fromMicroseconds(std::uint64_t us) {
  constexpr TimeNs kMicrosecond = 1000;
  constexpr std::uint64_t kMost = std::numeric_limits<TimeNs>::max() / (kMicrosecond * 4);
  return static_cast<TimeNs>(std::min(us, kMost)) * kMicrosecond;
}

// What the value of a parameter of the request has to be; empty when it is that.
std::string_view readRequestParameter(std::string_view name, const Cursor& value,
                                      V2RequestParameters& out) {
  if (name == "binary_data_output") {
    const auto flag = boolAt(value);
    out.binaryOutput = flag.value_or(false);
    return flag ? "" : kBool;
  }
  if (name == "timeout") {
    const auto us = unsignedAt(value);
    out.timeout = fromMicroseconds(us.value_or(0));
    return us ? "" : kUnsigned;
  }
  if (name == "priority") {  // models have one level, which every priority means
    return unsignedAt(value) ? "" : kUnsigned;
  }
  if (name == "sequence_id") {  // models keep no state between requests
    return unsignedAt(value) || stringAt(value) ? "" : "an integer from 0 or a string";
  }
  if (name == "sequence_start" || name == "sequence_end") {
    return boolAt(value) ? "" : kBool;
  }
  return isScalar(value) ? "" : "a string, a number, true or false";
}

}  // namespace

Result<V2RequestParameters> readRequestParameters(Cursor cursor) {
  V2RequestParameters out;
  bool reserved = false;
  const auto wrong = eachParameter(cursor, "", [&](std::string_view name, const Cursor& value) {
    reserved = reserved || name.starts_with("triton_");
    return readRequestParameter(name, value, out);
  });
  if (wrong) {
    return *wrong;
  }
  if (reserved) {
    return Error{ErrorCode::kBadInput,
                 "parameter keys starting with 'triton_' are reserved for Triton usage and should "
                 "not be specified.",
                 {}};
  }
  return out;
}

Result<V2InputParameters> readInputParameters(Cursor cursor, const std::string& owner) {
  V2InputParameters out;
  const auto wrong = eachParameter(
      cursor, owner, [&](std::string_view name, const Cursor& value) -> std::string_view {
        if (name == "binary_data_size") {
          out.binaryBytes = unsignedAt(value);
          return out.binaryBytes ? "" : kUnsigned;
        }
        if (name == "shared_memory_region") {
          out.region = stringAt(value);
          return out.region ? "" : "a string";
        }
        return "";
      });
  return wrong ? Result<V2InputParameters>(*wrong) : out;
}

Result<V2OutputParameters> readOutputParameters(Cursor cursor, const std::string& owner) {
  V2OutputParameters out;
  const auto wrong = eachParameter(
      cursor, owner, [&](std::string_view name, const Cursor& value) -> std::string_view {
        if (name == "binary_data") {
          out.isBinary = boolAt(value);
          return out.isBinary ? "" : kBool;
        }
        if (name == "classification") {
          const auto classes = unsignedAt(value);
          out.classes = classes.value_or(0);
          return classes ? "" : kUnsigned;
        }
        if (name == "shared_memory_region") {
          out.region = stringAt(value);
          return out.region ? "" : "a string";
        }
        return "";
      });
  return wrong ? Result<V2OutputParameters>(*wrong) : out;
}

}  // namespace infer::codec
