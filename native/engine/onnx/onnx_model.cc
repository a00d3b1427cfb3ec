// SPDX-License-Identifier: Apache-2.0
// Running a session.
#include "native/engine/onnx/onnx_model.h"

#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/engine/onnx/onnx_api.h"
#include "native/engine/onnx/onnx_library.h"
#include "native/engine/onnx/onnx_values.h"

namespace infer::onnx {

OnnxModel::OnnxModel(std::shared_ptr<const Library> library, Owned<OrtSession> session,
                     Signature signature)
    : library_(std::move(library)), session_(std::move(session)), signature_(std::move(signature)) {
  for (const TensorSpec& spec : signature_.inputs) {
    inputNames_.push_back(spec.name.c_str());
  }
  for (const TensorSpec& spec : signature_.outputs) {
    outputNames_.push_back(spec.name.c_str());
  }
}

Result<Outputs> OnnxModel::run(const Batch& inputs, const std::stop_token& stop) {
  const Api& api = library_->api();
  std::vector<Owned<OrtValue>> owned;
  std::vector<const OrtValue*> in;
  for (const Tensor& tensor : inputs.inputs) {
    auto value = toOrt(*library_, tensor);
    if (!value.ok()) {
      return std::move(value).error();
    }
    in.push_back(value.value().get());
    owned.push_back(std::move(value).value());
  }
  OrtRunOptions* rawOptions = nullptr;
  auto done =
      library_->check(api.createRunOptions(&rawOptions), ErrorCode::kEngineFailed, "run options");
  if (!done.ok()) {
    return std::move(done).error();
  }
  const Owned<OrtRunOptions> options(rawOptions, Release{&api});
  std::vector<OrtValue*> out(outputNames_.size(), nullptr);
  {
    // Checked by ONNX Runtime between nodes, so one long kernel still runs to its end.
    const std::stop_callback terminate(stop, [&api, rawOptions] {
      const Owned<OrtStatus> ignored(api.runOptionsSetTerminate(rawOptions), Release{&api});
    });
    done = library_->check(api.run(session_.get(), rawOptions, inputNames_.data(), in.data(),
                                   in.size(), outputNames_.data(), outputNames_.size(), out.data()),
                           ErrorCode::kEngineFailed, "the model failed");
  }
  std::vector<Owned<OrtValue>> values;
  values.reserve(out.size());
  for (OrtValue* value : out) {
    values.emplace_back(value, Release{&api});
  }
  if (!done.ok()) {
    return std::move(done).error();
  }
  Outputs outputs;
  outputs.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto tensor = fromOrt(*library_, std::move(values[i]));
    if (!tensor.ok()) {
      Error error = std::move(tensor).error();
      error.message = "output \"" + signature_.outputs[i].name + "\": " + error.message;
      return error;
    }
    outputs.push_back(std::move(tensor).value());
  }
  return outputs;
}

}  // namespace infer::onnx
