// SPDX-License-Identifier: Apache-2.0
// A session of ONNX Runtime as a LoadedModel.
// Threads: load on a loader thread; run on any number of lanes at once (a session allows that).
#pragma once

#include <memory>
#include <stop_token>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/engine/engine.h"
#include "native/engine/onnx/onnx_api.h"
#include "native/engine/onnx/onnx_library.h"

namespace infer::onnx {

class OnnxModel final : public LoadedModel {
 public:
  static Result<std::shared_ptr<LoadedModel>> load(const std::shared_ptr<const Library>& library,
                                                   const ModelFile& file);

  OnnxModel(std::shared_ptr<const Library> library, Owned<OrtSession> session, Signature signature);
  const Signature& signature() const override { return signature_; }
  Result<Outputs> run(const Batch& inputs, const std::stop_token& stop) override;

 private:
  // Shared with the engine and every other model; lives as long as the process.
  const std::shared_ptr<const Library> library_;
  const Owned<OrtSession> session_;
  const Signature signature_;
  std::vector<const char*> inputNames_;   // borrowed from signature_
  std::vector<const char*> outputNames_;  // borrowed from signature_
};

}  // namespace infer::onnx
