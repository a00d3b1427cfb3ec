// SPDX-License-Identifier: Apache-2.0
// The stub of ONNX Runtime, opened like the real one, and requests for its one model.
// Threads: one case.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/shared_library.h"
#include "native/base/tensor.h"
#include "native/engine/engine.h"
#include "native/engine/registry.h"
#include "test/engines/onnxruntime_stub.h"
#include "test/native/fixtures.h"
#include "test/native/tensors.h"

namespace test {

// The stub's state; throws when the stub cannot be opened.
inline stub::State& stubbed() {
  const auto library = infer::SharedLibrary::open(INFER_STUB_LIBRARY);
  const auto symbol = library.value().symbol("stubState");
  return *reinterpret_cast<stub::State* (*)()>(symbol.value())();
}

inline infer::LibraryCandidate stubCandidate(bool required = false) {
  return {.source = "a test", .path = INFER_STUB_LIBRARY, .required = required};
}

// A registry that opens the stub with this script.
class Stubbed {
 public:
  explicit Stubbed(stub::Script script = {}) { state.play(std::move(script)); }

  infer::Result<std::shared_ptr<infer::Engine>> open() {
    return registry.engine("onnxruntime", {stubCandidate()});
  }
  // The model of any file that exists; the engine has to open.
  infer::Result<std::shared_ptr<infer::LoadedModel>> load() {
    return open().value()->load({.path = fixture("affine.onnx")}, {"cpu"});
  }

  stub::State& state = stubbed();
  infer::Registry registry;
};

inline infer::Batch twoFloats(float first, float second) {
  infer::Batch batch;
  batch.inputs.push_back(floats({1, 2}, {first, second}));
  batch.rows = 1;
  return batch;
}

inline infer::Batch twoStrings(std::string first, std::string second) {
  infer::Batch batch;
  batch.inputs.push_back(strings({1, 2}, {std::move(first), std::move(second)}));
  batch.rows = 1;
  return batch;
}

}  // namespace test
