// SPDX-License-Identifier: Apache-2.0
// The one error type of the native code: a stable code, a message for people, a reason for
// programs. Threads: values; any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "native/base/clock.h"

namespace infer {

// Order is the wire between native code, lib/errors.ts and docs/errors.md; a test compares the
// three.
enum class ErrorCode : std::uint8_t {
  kBadInput,
  kModelNotFound,
  kModelInvalid,
  kModelExists,
  kQueueFull,
  kDeadline,
  kCancelled,
  kClosed,
  kEngineUnavailable,
  kDeviceUnavailable,
  kEngineFailed,
  kOutOfMemory,
  kInternal,
};

inline constexpr std::array<std::string_view, 13> kErrorCodeNames = {
    "INFER_BAD_INPUT",          "INFER_MODEL_NOT_FOUND", "INFER_MODEL_INVALID",
    "INFER_MODEL_EXISTS",       "INFER_QUEUE_FULL",      "INFER_DEADLINE",
    "INFER_CANCELLED",          "INFER_CLOSED",          "INFER_ENGINE_UNAVAILABLE",
    "INFER_DEVICE_UNAVAILABLE", "INFER_ENGINE_FAILED",   "INFER_OUT_OF_MEMORY",
    "INFER_INTERNAL",
};
inline constexpr std::size_t kErrorCodeCount = kErrorCodeNames.size();

constexpr std::string_view errorCodeName(ErrorCode code) {
  return kErrorCodeNames[static_cast<std::size_t>(code)];
}

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  std::string message;  // what was expected, what came, for which name
  std::string
      detail;  // optional machine-readable reason within the code, e.g. "wrong-architecture"
  TimeNs retryAfter = 0;  // when it may go better, from now; 0: nothing is known of that
};

// What became of an exception that reached our own code: a lack of memory, or a rule of ours that
// was broken.
inline Error caught(const std::exception& failure, const std::string& what) {
  const bool isMemory = dynamic_cast<const std::bad_alloc*>(&failure) != nullptr;
  const ErrorCode code = isMemory ? ErrorCode::kOutOfMemory : ErrorCode::kInternal;
  return {code, what + ": " + failure.what(), {}};
}

// A value or an Error. `Result<void>` is success or an Error. Reading the wrong one is a bug and
// throws std::bad_variant_access, which only a test may rely on.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Error error)
      : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return state_.index() == 0; }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error)
      : failed_(true), error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return !failed_; }
  const Error& error() const& { return error_; }
  Error&& error() && { return std::move(error_); }

 private:
  bool failed_ = false;
  Error error_;
};

}  // namespace infer
