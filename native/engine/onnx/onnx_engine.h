// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime as an Engine.
// Threads: as engine.h says.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/shared_library.h"
#include "native/engine/engine.h"
#include "native/engine/onnx/onnx_library.h"

namespace infer::onnx {

class OnnxEngine final : public Engine {
 public:
  // Fails as Library::open does.
  static Result<std::shared_ptr<OnnxEngine>> open(const SharedLibrary& file);
  explicit OnnxEngine(std::shared_ptr<const Library> library) : library_(std::move(library)) {}

  const std::string& version() const { return library_->version(); }
  const std::string& path() const { return library_->path(); }

  std::string_view name() const override { return "onnxruntime"; }
  std::vector<Device> devices() const override { return {{"cpu"}}; }
  Result<std::shared_ptr<LoadedModel>> load(const ModelFile& file, const Device& device) override;

 private:
  const std::shared_ptr<const Library> library_;  // shared with its models
};

}  // namespace infer::onnx
