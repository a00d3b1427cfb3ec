// SPDX-License-Identifier: Apache-2.0
// The only place where an Error of ours becomes a JS error.
// Threads: js.
#pragma once

#include <napi.h>

#include <exception>
#include <string>
#include <utility>

#include "native/base/error.h"

namespace infer::addon {

// Sets `code` and, where they are known, `detail` and `retryAfterMs`.
void setCode(Napi::Object to, const Error& error);

// An Error object with the same.
Napi::Error toJsError(Napi::Env env, const Error& error);

// Runs the body of a JS entry; nothing but Napi::Error leaves it, whatever is thrown inside.
template <typename Body>
auto atEntry(Napi::Env env, Body&& body) -> decltype(body()) {
  try {
    return std::forward<Body>(body)();
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw toJsError(env, caught(error, "unexpected native error"));
  } catch (...) {
    throw toJsError(env, {ErrorCode::kInternal, "unexpected native error of unknown type", {}});
  }
}

// The value, or its error thrown as a JS error.
template <typename T>
T orThrow(Napi::Env env, Result<T> result) {
  if (!result.ok()) {
    throw toJsError(env, result.error());
  }
  return std::move(result).value();
}

}  // namespace infer::addon
