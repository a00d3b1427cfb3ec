// SPDX-License-Identifier: Apache-2.0
// One opened ONNX Runtime: its function table and its environment.
// Threads: open() under the registry's lock; everything else from any. Lives until the process
// ends.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "native/base/error.h"
#include "native/base/shared_library.h"
#include "native/engine/onnx/onnx_api.h"

namespace infer::onnx {

// A LogFunction: passes a line on to Log. thread: any.
void writeLog(void* param, int severity, const char* category, const char* logid,
              const char* location, const char* message);

class Library {
 public:
  // Fails with kEngineUnavailable: what SharedLibrary reports, or detail "version" when the release
  // is older than kOldestApi. Turns ONNX Runtime's telemetry off, unless the user's environment
  // says otherwise, because official builds from 1.29 on send it from the first environment they
  // create.
  static Result<std::shared_ptr<const Library>> open(const SharedLibrary& file);

  const Api& api() const { return api_; }
  const OrtEnv* env() const { return env_.get(); }
  const OrtMemoryInfo* cpuMemory() const { return cpuMemory_.get(); }
  const std::string& version() const { return version_; }
  const std::string& path() const { return path_; }

  // Null on success; else the library's message, with its error code's name as the detail. A lack
  // of memory is kOutOfMemory, whatever `code` is.
  Result<void> check(OrtStatus* status, ErrorCode code, const std::string& what) const;

  // False where the model declares no number of axes; a library too old to know says true.
  bool hasShape(const OrtTensorInfo* info) const {
    return minor_ < kHasShapeApi || HasShape(api_.table)(info);
  }

  explicit Library(ApiTable table) : api_(table) {}  // for open()

 private:
  Api api_;
  Owned<OrtEnv> env_{nullptr, Release{&api_}};
  Owned<OrtMemoryInfo> cpuMemory_{nullptr, Release{&api_}};
  std::string version_;
  std::uint32_t minor_ = 0;  // of version_
  std::string path_;
};

}  // namespace infer::onnx
