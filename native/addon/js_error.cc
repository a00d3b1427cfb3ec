// SPDX-License-Identifier: Apache-2.0
// Error to JS error.
#include "native/addon/js_error.h"

#include <napi.h>

#include <string>

#include "native/base/error.h"

namespace infer::addon {

Napi::Error toJsError(Napi::Env env, const Error& error) {
  Napi::Error js = Napi::Error::New(env, error.message);
  js.Set("code", Napi::String::New(env, std::string(errorCodeName(error.code))));
  if (!error.detail.empty()) {
    js.Set("detail", Napi::String::New(env, error.detail));
  }
  return js;
}

}  // namespace infer::addon
