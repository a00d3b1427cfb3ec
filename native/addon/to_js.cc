// SPDX-License-Identifier: Apache-2.0
// What goes out to JS: outputs, errors and reports.
#include <napi.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "native/addon/convert.h"
#include "native/base/error.h"
#include "native/base/metrics.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/engine/registry.h"
#include "native/scheduler/batch.h"

namespace infer::addon {
namespace {

// In the order of ElementType; strings have none. float16 and bfloat16 travel as their raw 16 bits.
constexpr std::array<napi_typedarray_type, 13> kArrayTypes = {
    napi_float32_array, napi_float64_array, napi_uint16_array, napi_uint16_array,
    napi_int8_array,    napi_int16_array,   napi_int32_array,  napi_bigint64_array,
    napi_uint8_array,   napi_uint16_array,  napi_uint32_array, napi_biguint64_array,
    napi_uint8_array};

constexpr double kNanosecondsPerSecond = 1e9;

Napi::Value text(Napi::Env env, std::string_view value) {
  return Napi::String::New(env, value.data(), value.size());
}

void checked(Napi::Env env, napi_status status) {
  if (status != napi_ok) {
    throw Napi::Error::New(env);
  }
}

// Below kOwnSliceBytes a copy is cheaper than a finaliser; above, JS keeps our memory alive. A
// runtime that forbids outside memory in its heap (Electron) gets the copy.
napi_value arrayBuffer(Napi::Env env, const Bytes& bytes) {
  napi_value buffer = nullptr;
  if (bytes.size() >= kOwnSliceBytes) {
    auto owner = std::make_unique<Bytes>(bytes);
    const auto release = [](napi_env /*env*/, void* /*data*/, void* hint) {
      const std::unique_ptr<Bytes> freed(static_cast<Bytes*>(hint));
    };
    const napi_status status = napi_create_external_arraybuffer(env, bytes.data(), bytes.size(),
                                                                release, owner.get(), &buffer);
    if (status == napi_ok) {
      // The finaliser's from here on. NOLINTNEXTLINE(bugprone-unused-return-value)
      static_cast<void>(owner.release());
      return buffer;
    }
    if (status != napi_no_external_buffers_allowed) {
      throw Napi::Error::New(env);
    }
  }
  void* to = nullptr;
  checked(env, napi_create_arraybuffer(env, bytes.size(), &to, &buffer));
  if (bytes.size() > 0) {
    std::memcpy(to, bytes.data(), bytes.size());
  }
  return buffer;
}

Napi::Value dataOf(Napi::Env env, const Tensor& tensor) {
  if (tensor.type == ElementType::kString) {
    const Napi::Array strings = Napi::Array::New(env, tensor.strings.size());
    for (std::size_t i = 0; i < tensor.strings.size(); ++i) {
      strings.Set(static_cast<std::uint32_t>(i), text(env, tensor.strings[i]));
    }
    return strings;
  }
  napi_value array = nullptr;
  const std::size_t length = tensor.bytes.size() / elementTypeInfo(tensor.type).bytes;
  checked(env, napi_create_typedarray(env, kArrayTypes[static_cast<std::size_t>(tensor.type)],
                                      length, arrayBuffer(env, tensor.bytes), 0, &array));
  return {env, array};
}

Napi::Array numbers(Napi::Env env, std::span<const std::int64_t> values) {
  const Napi::Array array = Napi::Array::New(env, values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    array.Set(static_cast<std::uint32_t>(i), static_cast<double>(values[i]));
  }
  return array;
}

Napi::Value specs(Napi::Env env, const std::vector<TensorSpec>& list) {
  const Napi::Array array = Napi::Array::New(env, list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Napi::Object spec = Napi::Object::New(env);
    spec.Set("name", text(env, list[i].name));
    spec.Set("type", text(env, elementTypeInfo(list[i].type).name));
    spec.Set("shape", numbers(env, list[i].shape));
    array.Set(static_cast<std::uint32_t>(i), spec);
  }
  return array;
}

// `unit`: what one unit of the bounds is in the numbers JS sees.
Napi::Value histogram(Napi::Env env, const Histogram& source, double unit) {
  const std::span<const std::int64_t> bounds = source.bounds();
  const Napi::Array limits = Napi::Array::New(env, bounds.size());
  const Napi::Array counts = Napi::Array::New(env, bounds.size() + 1);
  for (std::size_t i = 0; i <= bounds.size(); ++i) {
    const auto at = static_cast<std::uint32_t>(i);
    if (i < bounds.size()) {
      limits.Set(at, static_cast<double>(bounds[i]) / unit);
    }
    counts.Set(at, static_cast<double>(source.count(i)));
  }
  const Napi::Object out = Napi::Object::New(env);
  out.Set("bounds", limits);
  out.Set("counts", counts);
  out.Set("sum", static_cast<double>(source.sum()) / unit);
  return out;
}

}  // namespace

Napi::Value errorRecord(Napi::Env env, const Error& error) {
  const Napi::Object record = Napi::Object::New(env);
  record.Set("code", text(env, errorCodeName(error.code)));
  record.Set("message", text(env, error.message));
  if (!error.detail.empty()) {
    record.Set("detail", text(env, error.detail));
  }
  return record;
}

Napi::Value toJs(Napi::Env env, const Result<Outputs>& result) {
  if (!result.ok()) {
    return errorRecord(env, result.error());
  }
  const Outputs& outputs = result.value();
  const Napi::Array array = Napi::Array::New(env, outputs.size() * 2);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto at = static_cast<std::uint32_t>(i * 2);
    array.Set(at, dataOf(env, outputs[i]));
    array.Set(at + 1, numbers(env, outputs[i].shape));
  }
  return array;
}

Napi::Value toJs(Napi::Env env, const Signature& signature) {
  const Napi::Object out = Napi::Object::New(env);
  out.Set("inputs", specs(env, signature.inputs));
  out.Set("outputs", specs(env, signature.outputs));
  return out;
}

Napi::Value toJs(Napi::Env env, const Metrics& metrics) {
  const Napi::Object out = Napi::Object::New(env);
  const Napi::Array errors = Napi::Array::New(env, kErrorCodeCount);
  for (std::size_t i = 0; i < kErrorCodeCount; ++i) {
    errors.Set(static_cast<std::uint32_t>(i), static_cast<double>(metrics.errorCount(i)));
  }
  out.Set("requests", static_cast<double>(metrics.requestCount()));
  out.Set("completed", static_cast<double>(metrics.completedCount()));
  out.Set("errors", errors);
  out.Set("batches", static_cast<double>(metrics.batchCount()));
  out.Set("rows", static_cast<double>(metrics.rowCount()));
  out.Set("queueSeconds", histogram(env, metrics.queueTime(), kNanosecondsPerSecond));
  out.Set("runSeconds", histogram(env, metrics.runTime(), kNanosecondsPerSecond));
  out.Set("batchRows", histogram(env, metrics.batchRows(), 1));
  return out;
}

Napi::Value toJs(Napi::Env env, const EngineReport& report) {
  const Napi::Object out = Napi::Object::New(env);
  out.Set("name", text(env, report.name));
  out.Set("available", Napi::Boolean::New(env, !report.problem.has_value()));
  out.Set("version", text(env, report.version));
  out.Set("path", text(env, report.path));
  out.Set("source", text(env, report.source));
  const Napi::Array devices = Napi::Array::New(env, report.devices.size());
  for (std::size_t i = 0; i < report.devices.size(); ++i) {
    devices.Set(static_cast<std::uint32_t>(i), text(env, report.devices[i].name));
  }
  out.Set("devices", devices);
  if (report.problem) {
    out.Set("problem", errorRecord(env, *report.problem));
  }
  const Napi::Array tried = Napi::Array::New(env, report.tried.size());
  for (std::size_t i = 0; i < report.tried.size(); ++i) {
    const Napi::Object attempt = Napi::Object::New(env);
    attempt.Set("source", text(env, report.tried[i].source));
    attempt.Set("path", text(env, report.tried[i].path));
    attempt.Set("outcome", text(env, report.tried[i].outcome));
    tried.Set(static_cast<std::uint32_t>(i), attempt);
  }
  out.Set("tried", tried);
  return out;
}

}  // namespace infer::addon
