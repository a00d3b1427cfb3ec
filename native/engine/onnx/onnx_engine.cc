// SPDX-License-Identifier: Apache-2.0
// Devices and loading of the ONNX Runtime engine.
#include "native/engine/onnx/onnx_engine.h"

#include <memory>
#include <utility>

#include "native/base/error.h"
#include "native/base/shared_library.h"
#include "native/engine/engine.h"
#include "native/engine/onnx/onnx_library.h"
#include "native/engine/onnx/onnx_model.h"

namespace infer::onnx {

Result<std::shared_ptr<OnnxEngine>> OnnxEngine::open(const SharedLibrary& file) {
  auto library = Library::open(file);
  if (!library.ok()) {
    return std::move(library).error();
  }
  return std::make_shared<OnnxEngine>(std::move(library).value());
}

Result<std::shared_ptr<LoadedModel>> OnnxEngine::load(const ModelFile& file, const Device& device) {
  if (device.name != "cpu") {
    return Error{ErrorCode::kDeviceUnavailable,
                 "device \"" + device.name + "\": this ONNX Runtime runs on \"cpu\" only",
                 {}};
  }
  return OnnxModel::load(library_, file);
}

}  // namespace infer::onnx
