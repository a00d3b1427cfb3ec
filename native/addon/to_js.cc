// SPDX-License-Identifier: Apache-2.0
// What goes out to JS: outputs, errors and reports.
#include <napi.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "native/addon/convert.h"
#include "native/addon/js_error.h"
#include "native/base/clock.h"
#include "native/base/cpu_budget.h"
#include "native/base/error.h"
#include "native/base/metrics.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/base/topology.h"
#include "native/codec/utf8.h"
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

// What an ArrayBuffer holds in every supported Node: buffer.constants.MAX_LENGTH of Node 20, the
// least of them.
constexpr std::size_t kMaxOutputBytes = 4'294'967'296;  // 2^32
constexpr const char* kTooLarge = "output-too-large";

Napi::Value text(Napi::Env env, std::string_view value) {
  return Napi::String::New(env, value.data(), value.size());
}

void checked(Napi::Env env, napi_status status) {
  if (status != napi_ok) {
    throw Napi::Error::New(env);
  }
}

// Output memory that JS holds, by a number that stands for it in finalisers. A call that fails may
// have run its finaliser, or run it later, or never: giving back what is not held does nothing, so
// each of these is safe.
class Lent {
 public:
  static Lent& process() {
    // Never destroyed: a worker's finalisers may run while the process exits.
    static Lent& lent = *std::make_unique<Lent>().release();
    return lent;
  }
  std::uintptr_t lend(const Bytes& bytes) {
    const std::lock_guard lock(mutex_);
    held_.emplace(++last_, bytes);
    return last_;
  }
  void giveBack(std::uintptr_t number) {
    std::unordered_map<std::uintptr_t, Bytes>::node_type freed;  // after unlocking
    const std::lock_guard lock(mutex_);
    freed = held_.extract(number);
  }

 private:
  std::mutex mutex_;
  std::uintptr_t last_ = 0;                         // guarded by mutex_
  std::unordered_map<std::uintptr_t, Bytes> held_;  // guarded by mutex_
};

// Below kOwnSliceBytes a copy is cheaper than a finaliser; above, JS keeps our memory alive. A
// runtime that forbids outside memory in its heap (Electron) gets the copy.
napi_value arrayBuffer(Napi::Env env, const Bytes& bytes) {
  napi_value buffer = nullptr;
  if (bytes.size() >= kOwnSliceBytes) {
    const std::uintptr_t number = Lent::process().lend(bytes);
    const auto release = [](napi_env /*env*/, void* /*data*/, void* hint) {
      Lent::process().giveBack(reinterpret_cast<std::uintptr_t>(hint));
    };
    // The number travels as the pointer of the hint. NOLINTNEXTLINE(performance-no-int-to-ptr)
    auto* const hint = reinterpret_cast<void*>(number);
    const napi_status status =
        napi_create_external_arraybuffer(env, bytes.data(), bytes.size(), release, hint, &buffer);
    if (status == napi_ok) {
      return buffer;
    }
    Lent::process().giveBack(number);
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

Napi::Array arraysOf(Napi::Env env, const Outputs& outputs) {
  const Napi::Array array = Napi::Array::New(env, outputs.size() * 2);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto at = static_cast<std::uint32_t>(i * 2);
    array.Set(at, dataOf(env, outputs[i]));
    array.Set(at + 1, numbers(env, outputs[i].shape));
  }
  return array;
}

Error tooLarge(const std::string& what, std::size_t bytes) {
  return {ErrorCode::kEngineFailed,
          what + " has " + std::to_string(bytes) + " bytes, but an ArrayBuffer holds at most " +
              std::to_string(kMaxOutputBytes) + ": ask for fewer rows",
          kTooLarge};
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

// In seconds.
Napi::Object answeredOf(Napi::Env env, const StageTimes& spent) {
  const auto seconds = [](TimeNs time) {
    return static_cast<double>(time) / kNanosecondsPerSecond;
  };
  const Napi::Object out = Napi::Object::New(env);
  out.Set("parse", seconds(spent.parse));
  out.Set("queue", seconds(spent.queue));
  out.Set("run", seconds(spent.run));
  out.Set("format", seconds(spent.format));
  return out;
}

// Rows, runs and seconds of each number of rows that was run, one after the other.
Napi::Array runsByRows(Napi::Env env, const Metrics& metrics) {
  const Napi::Array out = Napi::Array::New(env);
  const std::vector<RunsOfRows>& all = metrics.byRows();
  for (std::size_t rows = 0; rows < all.size(); ++rows) {
    const std::uint64_t runs = all[rows].runs.load(std::memory_order_relaxed);
    if (runs == 0) {
      continue;
    }
    const auto time = static_cast<double>(all[rows].time.load(std::memory_order_relaxed));
    for (const double value :
         {static_cast<double>(rows), static_cast<double>(runs), time / kNanosecondsPerSecond}) {
      out.Set(out.Length(), value);
    }
  }
  return out;
}

}  // namespace

Napi::Value errorRecord(Napi::Env env, const Error& error) {
  const Napi::Object record = Napi::Object::New(env);
  record.Set("message", text(env, error.message));
  setCode(record, error);
  return record;
}

Napi::Value toJs(Napi::Env env, const Result<Outputs>& result) {
  if (!result.ok()) {
    return errorRecord(env, result.error());
  }
  const Outputs& outputs = result.value();
  for (const Tensor& output : outputs) {
    if (output.bytes.size() > kMaxOutputBytes) {
      return errorRecord(
          env, tooLarge("an output of shape " + shapeText(output.shape), output.bytes.size()));
    }
  }
  try {
    return arraysOf(env, outputs);
  } catch (const Napi::Error& error) {  // strings beyond the engine's limit; other answers go on
    return errorRecord(
        env, {ErrorCode::kEngineFailed, "an output JS cannot hold: " + error.Message(), kTooLarge});
  }
}

Napi::Value textToJs(Napi::Env env, std::string text) {
  constexpr std::size_t kLongestString = 16'384;
  napi_value value = nullptr;
  if (text.size() <= kLongestString && codec::isAscii(text)) {
    checked(env, napi_create_string_latin1(env, text.data(), text.size(), &value));
    return {env, value};
  }
  if (text.size() > kMaxOutputBytes) {
    return errorRecord(env, tooLarge("the JSON of the outputs", text.size()));
  }
  const auto owner = std::make_shared<std::string>(std::move(text));
  auto* const data = reinterpret_cast<std::byte*>(owner->data());
  const Bytes bytes = Bytes::adopt(owner, data, owner->size());
  checked(env, napi_create_typedarray(env, napi_uint8_array, bytes.size(), arrayBuffer(env, bytes),
                                      0, &value));
  return {env, value};
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
  out.Set("hungRuns", static_cast<double>(metrics.hungCount()));
  out.Set("paddedRows", static_cast<double>(metrics.paddedRowCount()));
  out.Set("answered", answeredOf(env, metrics.spent()));
  out.Set("runsByRows", runsByRows(env, metrics));
  out.Set("lastRunAtMs", static_cast<double>(metrics.lastRunMs()));
  out.Set("queueSeconds", histogram(env, metrics.queueTime(), kNanosecondsPerSecond));
  out.Set("runSeconds", histogram(env, metrics.runTime(), kNanosecondsPerSecond));
  out.Set("parseSeconds", histogram(env, metrics.parseTime(), kNanosecondsPerSecond));
  out.Set("formatSeconds", histogram(env, metrics.formatTime(), kNanosecondsPerSecond));
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

Napi::Object toJs(Napi::Env env, const CpuBudget& budget) {
  const Napi::Object out = Napi::Object::New(env);
  const Napi::Array cores = Napi::Array::New(env);
  for (const Core& core : budget.topology.cores) {
    const Napi::Object entry = Napi::Object::New(env);
    entry.Set("id", core.id);
    entry.Set("physical", core.physical);
    entry.Set("node", core.node);
    cores.Set(cores.Length(), entry);
  }
  const Napi::Array laneCores = Napi::Array::New(env);
  for (int lane = 0; budget.pin && lane < budget.lanes; ++lane) {
    laneCores.Set(laneCores.Length(), budget.cores[static_cast<std::size_t>(lane)]);
  }
  const Napi::Array problems = Napi::Array::New(env);
  for (const std::string& problem : budget.problems) {
    problems.Set(problems.Length(), text(env, problem));
  }
  out.Set("cores", cores);
  out.Set("quota", budget.quota);
  out.Set("lanes", budget.lanes);
  out.Set("laneCores", laneCores);
  out.Set("reason", text(env, budget.reason));
  out.Set("problems", problems);
  return out;
}

}  // namespace infer::addon
