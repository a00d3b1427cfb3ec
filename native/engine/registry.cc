// SPDX-License-Identifier: Apache-2.0
// The only file that names the engines.
#include "native/engine/registry.h"

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/shared_library.h"
#include "native/engine/engine.h"
#include "native/engine/onnx/onnx_engine.h"

namespace infer {
namespace {

constexpr std::string_view kOnnx = "onnxruntime";

Result<std::shared_ptr<onnx::OnnxEngine>> openCandidate(const LibraryCandidate& candidate) {
  auto file = candidate.mappedOnly ? SharedLibrary::openMapped(candidate.path)
                                   : SharedLibrary::open(candidate.path);
  if (!file.ok()) {
    return std::move(file).error();
  }
  return onnx::OnnxEngine::open(file.value());
}

Error notFound(const std::vector<LibraryAttempt>& tried) {
  std::string message = "no usable ONNX Runtime library; tried:";
  for (const LibraryAttempt& attempt : tried) {
    message += "\n  " + attempt.source + ": " + attempt.outcome;
  }
  message +=
      "\nInstall the package with its prebuilt binaries, or onnxruntime-node beside it, or set "
      "ORT_DYLIB_PATH to a libonnxruntime.so.1";
  return {ErrorCode::kEngineUnavailable, std::move(message), "not-found"};
}

bool sameFile(const std::string& a, const std::string& b) {
  std::error_code failure;
  return a == b || std::filesystem::equivalent(a, b, failure);
}

}  // namespace

Registry& Registry::process() {
  // Never destroyed: engines outlive every JS environment, and their threads may still run at exit.
  static Registry& registry = *std::make_unique<Registry>().release();
  return registry;
}

Result<std::shared_ptr<Engine>> Registry::engine(std::string_view name,
                                                 const std::vector<LibraryCandidate>& candidates) {
  if (name != kOnnx) {
    return Error{ErrorCode::kBadInput,
                 "engine \"" + std::string(name) + "\": expected one of: onnxruntime",
                 {}};
  }
  const std::lock_guard lock(mutex_);
  return openOnnx(candidates);
}

std::vector<EngineReport> Registry::report(const std::vector<LibraryCandidate>& candidates) {
  const std::lock_guard lock(mutex_);
  auto opened = openOnnx(candidates);
  EngineReport report = onnxReport_;
  if (!opened.ok()) {
    report.problem = std::move(opened).error();
  }
  return {std::move(report)};
}

Result<std::shared_ptr<Engine>> Registry::openOnnx(
    const std::vector<LibraryCandidate>& candidates) {
  if (onnx_) {
    const LibraryCandidate* first = candidates.empty() ? nullptr : &candidates.front();
    // The last attempt is the one that opened it: by a bare name, maybe, which is no file.
    if (first != nullptr && first->required && first->path != onnxReport_.tried.back().path &&
        !sameFile(first->path, onnxReport_.path)) {
      return Error{ErrorCode::kEngineUnavailable,
                   first->source + ": " + first->path + " cannot be opened beside " +
                       onnxReport_.path + ", which this process uses already",
                   "already-open"};
    }
    return onnx_;
  }
  onnxReport_ = {};
  onnxReport_.name = kOnnx;
  for (const LibraryCandidate& candidate : candidates) {
    auto engine = openCandidate(candidate);
    if (engine.ok()) {
      onnxReport_.tried.push_back({candidate.source, candidate.path, "opened"});
      onnxReport_.version = engine.value()->version();
      onnxReport_.path = engine.value()->path();
      onnxReport_.source = candidate.source;
      onnxReport_.devices = engine.value()->devices();
      onnx_ = std::move(engine).value();
      return onnx_;
    }
    onnxReport_.tried.push_back({candidate.source, candidate.path, engine.error().message});
    if (candidate.required) {
      Error error = std::move(engine).error();
      error.message = "the ONNX Runtime library named by " + candidate.source +
                      " cannot be used: " + error.message +
                      ". Name another file, or none to use the one in the package";
      onnxReport_.problem = error;
      return error;
    }
  }
  onnxReport_.problem = notFound(onnxReport_.tried);
  return *onnxReport_.problem;
}

}  // namespace infer
