// SPDX-License-Identifier: Apache-2.0
// Error to JS error.
#include "native/addon/js_error.h"

#include <napi.h>

#include <string>

#include "native/base/clock.h"
#include "native/base/error.h"

namespace infer::addon {

void setCode(Napi::Object to, const Error& error) {
  const Napi::Env env = to.Env();
  to.Set("code", Napi::String::New(env, std::string(errorCodeName(error.code))));
  if (!error.detail.empty()) {
    to.Set("detail", Napi::String::New(env, error.detail));
  }
  if (error.retryAfter > 0) {
    const double ms = static_cast<double>(error.retryAfter) / static_cast<double>(kMillisecond);
    to.Set("retryAfterMs", Napi::Number::New(env, ms));
  }
}

Napi::Error toJsError(Napi::Env env, const Error& error) {
  Napi::Error js = Napi::Error::New(env, error.message);
  setCode(js.Value(), error);
  return js;
}

}  // namespace infer::addon
