// SPDX-License-Identifier: Apache-2.0
// JS values to and from tensors, options and reports; every JS type check of the addon.
// Threads: js. Input bytes are copied: nothing keeps a pointer into JS memory.
#pragma once

#include <napi.h>

#include <cstddef>
#include <string>
#include <vector>

#include "native/base/cpu_budget.h"
#include "native/base/error.h"
#include "native/base/metrics.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/engine/registry.h"
#include "native/scheduler/lane_pool.h"
#include "native/scheduler/scheduler.h"

namespace infer::addon {

// One input from a typed array, or an array of strings, of the element type of `spec`.
Result<Tensor> toTensor(const TensorSpec& spec, const Napi::Value& data, Shape shape);

// Splits `flat` (rank, dims, rank, dims, ...) into one shape per input; checks the count, not the
// shapes.
Result<std::vector<Shape>> toShapes(const Napi::Value& flat, std::size_t inputs);

std::vector<LibraryCandidate> toCandidates(const Napi::Value& list);

// Of an object with `lanes` and `cores`.
Placement toPlacement(const Napi::Object& request);

// Everything but the engine, which the registry has to find: its name is left in `engine`.
LoadSpec toLoadSpec(const Napi::Object& request, std::string& engine);

// [data0, shape0, data1, shape1, ...], or { code, message, detail, retryAfterMs } of an error.
Napi::Value toJs(Napi::Env env, const Result<Outputs>& result);
// A string for a short text of ASCII, which costs JS less than a buffer; else a Uint8Array.
Napi::Value textToJs(Napi::Env env, std::string text);
Napi::Value toJs(Napi::Env env, const Signature& signature);
Napi::Value toJs(Napi::Env env, const Metrics& metrics);
Napi::Value toJs(Napi::Env env, const EngineReport& report);
Napi::Object toJs(Napi::Env env, const CpuBudget& budget);
Napi::Value errorRecord(Napi::Env env, const Error& error);

}  // namespace infer::addon
