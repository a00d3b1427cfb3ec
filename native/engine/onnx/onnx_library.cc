// SPDX-License-Identifier: Apache-2.0
// Version negotiation, telemetry, logging and status handling of ONNX Runtime.
#include "native/engine/onnx/onnx_library.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "native/base/error.h"
#include "native/base/log.h"
#include "native/base/shared_library.h"
#include "native/engine/onnx/onnx_api.h"

namespace infer::onnx {
namespace {

// OrtErrorCode, in order.
constexpr std::array<std::string_view, 15> kCodeNames = {"OK",
                                                         "FAIL",
                                                         "INVALID_ARGUMENT",
                                                         "NO_SUCHFILE",
                                                         "NO_MODEL",
                                                         "ENGINE_ERROR",
                                                         "RUNTIME_EXCEPTION",
                                                         "INVALID_PROTOBUF",
                                                         "MODEL_LOADED",
                                                         "NOT_IMPLEMENTED",
                                                         "INVALID_GRAPH",
                                                         "EP_FAIL",
                                                         "MODEL_LOAD_CANCELED",
                                                         "MODEL_REQUIRES_COMPILATION",
                                                         "NOT_FOUND"};

std::string_view codeName(int code) {
  const auto at = static_cast<std::size_t>(code);
  return code > 0 && at < kCodeNames.size() ? kCodeNames[at] : "FAIL";
}

// "1.30.0" -> 30; 0 when it reads otherwise.
std::uint32_t minorOf(std::string_view version) {
  const std::size_t dot = version.find('.');
  if (dot == std::string_view::npos || version.substr(0, dot) != "1") {
    return 0;
  }
  std::uint32_t minor = 0;
  const std::string_view rest = version.substr(dot + 1);
  std::from_chars(rest.data(), rest.data() + rest.size(), minor);
  return minor;
}

// OrtLoggingLevel: 0 verbose, 1 info, 2 warning, 3 error, 4 fatal.
LogLevel levelOf(int severity) {
  constexpr std::array levels = {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarn};
  return severity >= 0 && severity < 3 ? levels[static_cast<std::size_t>(severity)]
                                       : LogLevel::kError;
}

// The words of std::bad_alloc, of ONNX Runtime's own allocators, which have no code for it, and of
// the system (ENOMEM) where files are mapped.
bool isOutOfMemory(std::string_view message) {
  constexpr std::array<std::string_view, 3> kWords = {"bad_alloc", "Failed to allocate memory",
                                                      "Cannot allocate memory"};
  return std::ranges::any_of(kWords, [message](std::string_view words) {
    return message.find(words) != std::string_view::npos;
  });
}

Error wrongVersion(const std::string& path, const std::string& version) {
  return {
      ErrorCode::kEngineUnavailable,
      path + ": ONNX Runtime " + version + "; needs 1." + std::to_string(kOldestApi) + " or newer",
      "version"};
}

}  // namespace

void writeLog(void* /*param*/, int severity, const char* /*category*/, const char* /*logid*/,
              const char* /*location*/, const char* message) {
  // Nobody but us stops a run, so it is no error that one was stopped.
  if (std::string_view(message).find("Exiting due to terminate flag") == std::string_view::npos) {
    Log::process().write({levelOf(severity), "onnxruntime", message});
  }
}

Result<std::shared_ptr<const Library>> Library::open(const SharedLibrary& file) {
  auto symbol = file.symbol("OrtGetApiBase");
  if (!symbol.ok()) {
    return std::move(symbol).error();
  }
  const std::string path = fileOfSymbol(symbol.value());
  const OrtApiBase* base = reinterpret_cast<GetApiBase>(symbol.value())();
  const std::string version = base->getVersionString();
  const std::uint32_t minor = minorOf(version);
  if (minor < kOldestApi) {
    return wrongVersion(path, version);
  }
  // Never asked for more than it has: that prints to stderr and gives null.
  const void* table = base->getApi(std::min(minor, kNewestApi));
  if (table == nullptr) {
    return Error{ErrorCode::kEngineUnavailable,
                 path + ": ONNX Runtime " + version + " gives no functions for its own version",
                 "version"};
  }
  // There is no other way to tell the library before it starts.
  // NOLINTNEXTLINE(concurrency-mt-unsafe,misc-include-cleaner): POSIX puts it into <cstdlib>
  setenv("ORT_DISABLE_TELEMETRY", "1", 0);
  auto library = std::make_shared<Library>(static_cast<ApiTable>(table));
  library->version_ = version;
  library->minor_ = minor;
  library->path_ = path;
  const Api& api = library->api_;
  OrtEnv* env = nullptr;
  auto made = library->check(
      api.createEnvWithCustomLogger(&writeLog, nullptr, kLogWarning, "inference", &env),
      ErrorCode::kEngineUnavailable, path);
  if (!made.ok()) {
    return std::move(made).error();
  }
  library->env_.reset(env);
  OrtMemoryInfo* memory = nullptr;
  made = library->check(api.createCpuMemoryInfo(kArenaAllocator, kMemTypeDefault, &memory),
                        ErrorCode::kEngineUnavailable, path);
  if (!made.ok()) {
    return std::move(made).error();
  }
  library->cpuMemory_.reset(memory);
  return std::shared_ptr<const Library>(std::move(library));
}

Result<void> Library::check(OrtStatus* status, ErrorCode code, const std::string& what) const {
  if (status == nullptr) {
    return {};
  }
  const Owned<OrtStatus> owned(status, Release{&api_});
  const std::string message = api_.getErrorMessage(status);
  if (isOutOfMemory(message)) {
    return Error{ErrorCode::kOutOfMemory, what + ": " + message, {}};
  }
  return Error{code, what + ": " + message, std::string(codeName(api_.getErrorCode(status)))};
}

}  // namespace infer::onnx
