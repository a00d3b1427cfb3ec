// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime as an Engine.
// Threads: as engine.h says.
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/engine/engine.h"
#include "native/engine/onnx/onnx_library.h"

namespace infer::onnx {

class OnnxEngine final : public Engine {
 public:
  explicit OnnxEngine(std::shared_ptr<const Library> library) : library_(std::move(library)) {}

  std::string_view name() const override { return "onnxruntime"; }
  std::vector<Device> devices() const override { return {{"cpu"}}; }
  Result<std::shared_ptr<LoadedModel>> load(const ModelFile& file, const Device& device) override;

 private:
  const std::shared_ptr<const Library> library_;  // shared with its models
};

}  // namespace infer::onnx
