// SPDX-License-Identifier: Apache-2.0
// Running a session.
#include "native/engine/onnx/onnx_model.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <functional>
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
namespace {

// Whether `bytes` lie within what some input borrowed: a graph's output that is one of its inputs
// comes back as the value that was fed.
bool isBorrowed(const Bytes& bytes, const std::vector<Tensor>& inputs) {
  return std::ranges::any_of(inputs, [&bytes](const Tensor& input) {
    const std::byte* const begin = input.bytes.data();
    const std::less<> before;  // a total order over unrelated pointers
    return !before(bytes.data(), begin) && before(bytes.data(), begin + input.bytes.size());
  });
}

// The same bytes in memory of their own.
Bytes copyOf(const Bytes& bytes) {
  Bytes copy = Bytes::allocate(bytes.size());
  std::memcpy(copy.data(), bytes.data(), bytes.size());
  return copy;
}

// Takes `values` over, in the order of the signature.
Result<Outputs> toOutputs(const Library& library, const Signature& signature,
                          const std::vector<Tensor>& inputs, std::vector<Owned<OrtValue>> values) {
  Outputs outputs;
  outputs.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    auto tensor = fromOrt(library, std::move(values[i]));
    if (!tensor.ok()) {
      Error error = std::move(tensor).error();
      error.message = "output \"" + signature.outputs[i].name + "\": " + error.message;
      return error;
    }
    Bytes& bytes = tensor.value().bytes;
    if (isBorrowed(bytes, inputs)) {
      bytes = copyOf(bytes);
    }
    outputs.push_back(std::move(tensor).value());
  }
  return outputs;
}

}  // namespace

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
  return toOutputs(*library_, signature_, inputs.inputs, std::move(values));
}

}  // namespace infer::onnx
