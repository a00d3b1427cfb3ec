// SPDX-License-Identifier: Apache-2.0
// Engines by name; opens their libraries, and says what this machine can run and why the rest
// cannot. Threads: any; one lock, held while a library is opened.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "native/base/error.h"
#include "native/engine/engine.h"

namespace infer {

// A place where an engine's library may be, in the order of preference.
struct LibraryCandidate {
  std::string source;       // for people: an option, an environment variable, a package
  std::string path;         // a file, or a bare name for the loader's search
  bool required = false;    // the user named it: its failure ends the search
  bool mappedOnly = false;  // only a copy that is in the process already
};

struct LibraryAttempt {
  std::string source;
  std::string path;
  std::string outcome;  // "opened" or why not
};

struct EngineReport {
  std::string name;
  std::string version;  // empty when unavailable
  std::string path;
  std::string source;
  std::vector<Device> devices;
  std::optional<Error> problem;  // set when unavailable
  std::vector<LibraryAttempt> tried;
};

class Registry {
 public:
  static Registry& process();

  // Opens the engine unless it is open. Errors: kBadInput for an unknown name (lists the known
  // ones), kEngineUnavailable with every path tried.
  Result<std::shared_ptr<Engine>> engine(std::string_view name,
                                         const std::vector<LibraryCandidate>& candidates);

  // What engine() would do, for every engine; an engine that can be opened is open afterwards.
  std::vector<EngineReport> report(const std::vector<LibraryCandidate>& candidates);

 private:
  Result<std::shared_ptr<Engine>> openOnnx(const std::vector<LibraryCandidate>& candidates);

  std::mutex mutex_;
  std::shared_ptr<Engine> onnx_;  // guarded by mutex_; shared with the models' loads; never closed
  EngineReport onnxReport_;       // guarded by mutex_; of the latest attempt
};

}  // namespace infer
