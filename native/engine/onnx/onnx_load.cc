// SPDX-License-Identifier: Apache-2.0
// From a file to a session and its signature.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/input_file.h"
#include "native/base/tensor.h"
#include "native/engine/engine.h"
#include "native/engine/onnx/onnx_api.h"
#include "native/engine/onnx/onnx_graph.h"
#include "native/engine/onnx/onnx_library.h"
#include "native/engine/onnx/onnx_model.h"
#include "native/engine/onnx/onnx_values.h"

namespace infer::onnx {
namespace {

Result<Owned<OrtSessionOptions>> makeOptions(const Library& library, const ModelFile& file) {
  const Api& api = library.api();
  OrtSessionOptions* raw = nullptr;
  auto done =
      library.check(api.createSessionOptions(&raw), ErrorCode::kEngineFailed, "session options");
  Owned<OrtSessionOptions> options(raw, Release{&api});
  const auto set = [&](OrtStatus* status) {
    auto result = library.check(status, ErrorCode::kEngineFailed, "session options");
    if (done.ok()) {
      done = std::move(result);
    }
  };
  if (done.ok()) {
    // Every default of the library is wrong for a shared server: it sizes its pool by the host's
    // cores, pins it, and spins. A run uses its lane's thread; throughput comes from lanes.
    set(api.setIntraOpNumThreads(raw, file.threadsPerRun));
    set(api.setInterOpNumThreads(raw, 1));
    set(api.addSessionConfigEntry(raw, "session.intra_op.allow_spinning", "0"));
    set(api.addSessionConfigEntry(raw, "session.inter_op.allow_spinning", "0"));
    set(api.setSessionGraphOptimizationLevel(raw, kOptimizeAll));
    set(api.setSessionLogSeverityLevel(raw, kLogWarning));
    // The environment is shared by all of the process and keeps the logger of whoever was first.
    set(api.setUserLoggingFunction(raw, &writeLog, nullptr));
    // It keeps one plan per input shape for ever, and batches come in every size.
    set(api.disableMemPattern(raw));
  }
  if (!done.ok()) {
    return std::move(done).error();
  }
  return options;
}

Error unsupported(const std::string& what, const std::string& why) {
  return {ErrorCode::kModelInvalid, what + ": " + why, "unsupported-type"};
}

// `info` is of a tensor. Fills type, shape and the names of free axes.
Result<TensorSpec> readTensor(const Library& library, const OrtTypeInfo* info, TensorSpec spec,
                              const std::string& what) {
  const Api& api = library.api();
  const OrtTensorInfo* tensor = nullptr;  // borrowed from info
  int type = 0;
  std::size_t rank = 0;
  auto done =
      library.check(api.castTypeInfoToTensorInfo(info, &tensor), ErrorCode::kEngineFailed, what);
  if (done.ok()) {
    done = library.check(api.getTensorElementType(tensor, &type), ErrorCode::kEngineFailed, what);
  }
  if (done.ok()) {
    done = library.check(api.getDimensionsCount(tensor, &rank), ErrorCode::kEngineFailed, what);
  }
  spec.shape.resize(rank);
  std::vector<const char*> names(rank, "");
  if (done.ok()) {
    done = library.check(api.getDimensions(tensor, spec.shape.data(), rank),
                         ErrorCode::kEngineFailed, what);
  }
  if (done.ok()) {
    done = library.check(api.getSymbolicDimensions(tensor, names.data(), rank),
                         ErrorCode::kEngineFailed, what);
  }
  if (!done.ok()) {
    return std::move(done).error();
  }
  const auto known = elementTypeOf(type);
  if (!known) {
    return unsupported(what, "ONNX element type " + std::to_string(type) + " is not supported");
  }
  spec.type = *known;
  if (rank > 0 && spec.shape[0] == kFreeAxis) {
    spec.batchAxis = names[0];
  }
  spec.axisNames.assign(names.begin(), names.end());
  return spec;
}

// Whether the number of axes is known; `info` is of a tensor.
bool hasRank(const Library& library, const OrtTypeInfo* info) {
  const OrtTensorInfo* tensor = nullptr;  // borrowed from info
  const auto cast = library.check(library.api().castTypeInfoToTensorInfo(info, &tensor),
                                  ErrorCode::kEngineFailed, "tensor");
  return !cast.ok() || library.hasShape(tensor);
}

using TypeInfoOf = OrtStatus* (*)(const Api&, const OrtSession*, std::size_t, OrtTypeInfo**);
using NameOf = OrtStatus* (*)(const Api&, const OrtSession*, std::size_t, OrtAllocator*, char**);

struct Side {
  const char* word;
  NameOf name;
  TypeInfoOf typeInfo;
};

constexpr Side kInputs = {
    "input",
    [](const Api& api, const OrtSession* session, std::size_t i, OrtAllocator* allocator,
       char** name) { return api.sessionGetInputName(session, i, allocator, name); },
    [](const Api& api, const OrtSession* session, std::size_t i, OrtTypeInfo** info) {
      return api.sessionGetInputTypeInfo(session, i, info);
    }};
constexpr Side kOutputs = {
    "output",
    [](const Api& api, const OrtSession* session, std::size_t i, OrtAllocator* allocator,
       char** name) { return api.sessionGetOutputName(session, i, allocator, name); },
    [](const Api& api, const OrtSession* session, std::size_t i, OrtTypeInfo** info) {
      return api.sessionGetOutputTypeInfo(session, i, info);
    }};

Result<TensorSpec> readSpec(const Library& library, const OrtSession* session, const Side& side,
                            std::size_t i) {
  const Api& api = library.api();
  TensorSpec spec;
  OrtAllocator* allocator = nullptr;
  char* name = nullptr;
  auto done = library.check(api.getAllocatorWithDefaultOptions(&allocator),
                            ErrorCode::kEngineFailed, side.word);
  if (done.ok()) {
    done = library.check(side.name(api, session, i, allocator, &name), ErrorCode::kEngineFailed,
                         side.word);
  }
  if (!done.ok()) {
    return std::move(done).error();
  }
  spec.name = name;
  const Owned<OrtStatus> ignored(api.allocatorFree(allocator, name), Release{&api});
  const std::string what = std::string(side.word) + " \"" + spec.name + "\"";
  OrtTypeInfo* raw = nullptr;
  done = library.check(side.typeInfo(api, session, i, &raw), ErrorCode::kEngineFailed, what);
  const Owned<OrtTypeInfo> info(raw, Release{&api});
  int kind = 0;
  if (done.ok()) {
    done = library.check(api.getOnnxTypeFromTypeInfo(raw, &kind), ErrorCode::kEngineFailed, what);
  }
  if (!done.ok()) {
    return std::move(done).error();
  }
  if (kind != kOnnxTypeTensor) {
    return unsupported(what,
                       "not a tensor (a sequence, map or optional); scikit-learn exports give "
                       "tensors with zipmap=False");
  }
  auto read = readTensor(library, raw, std::move(spec), what);
  // An output's axes are read after each run, so only an input has to declare how many there are.
  if (&side == &kInputs && read.ok() && read.value().shape.empty() && !hasRank(library, raw)) {
    return Error{ErrorCode::kModelInvalid,
                 what +
                     ": the file does not say how many axes it has; export the model with a "
                     "shape, whose axes may be free",
                 "unknown-rank"};
  }
  return read;
}

Result<std::vector<TensorSpec>> readSide(const Library& library, const OrtSession* session,
                                         const Side& side, std::size_t count) {
  std::vector<TensorSpec> specs;
  for (std::size_t i = 0; i < count; ++i) {
    auto spec = readSpec(library, session, side, i);
    if (!spec.ok()) {
      return std::move(spec).error();
    }
    specs.push_back(std::move(spec).value());
  }
  return specs;
}

Result<Signature> readSignature(const Library& library, const OrtSession* session) {
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  auto done = library.check(library.api().sessionGetInputCount(session, &inputs),
                            ErrorCode::kEngineFailed, "inputs");
  if (done.ok()) {
    done = library.check(library.api().sessionGetOutputCount(session, &outputs),
                         ErrorCode::kEngineFailed, "outputs");
  }
  if (!done.ok()) {
    return std::move(done).error();
  }
  auto in = readSide(library, session, kInputs, inputs);
  if (!in.ok()) {
    return std::move(in).error();
  }
  auto out = readSide(library, session, kOutputs, outputs);
  if (!out.ok()) {
    return std::move(out).error();
  }
  return Signature{std::move(in).value(), std::move(out).value(), false};
}

}  // namespace

Result<std::shared_ptr<LoadedModel>> OnnxModel::load(const std::shared_ptr<const Library>& library,
                                                     const ModelFile& file) {
  std::error_code failure;
  const auto kind = std::filesystem::status(file.path, failure);
  if (std::filesystem::exists(kind) && !std::filesystem::is_regular_file(kind)) {
    return Error{ErrorCode::kModelInvalid, file.path + ": a folder or device, not a file", {}};
  }
  const auto opened = InputFile::open(file.path);
  if (!opened.ok()) {
    return opened.error();
  }
  const InputFile& source = opened.value();
  auto options = makeOptions(*library, file);
  if (!options.ok()) {
    return std::move(options).error();
  }
  OrtSession* raw = nullptr;
  // Whatever the library dislikes here is the file's fault: not ONNX, truncated, an opset it does
  // not know, an operator it lacks, external data that is missing. Its message says which. A lack
  // of memory is not.
  auto done = library->check(
      library->api().createSession(library->env(), file.path.c_str(), options.value().get(), &raw),
      ErrorCode::kModelInvalid,
      file.path + ": not a model ONNX Runtime " + library->version() + " can load");
  if (!done.ok()) {
    return std::move(done).error();
  }
  Owned<OrtSession> session(raw, Release{&library->api()});
  auto signature = readSignature(*library, raw);
  if (!signature.ok()) {
    Error error = std::move(signature).error();
    error.message = file.path + ": " + error.message;
    return error;
  }
  // Of the file that the library has read, if it is still the same.
  const auto read = [&source](std::uint64_t offset, std::span<std::byte> out) {
    return source.read(offset, out);
  };
  signature.value().steadyCost = hasSteadyCost(source.size(), read) && source.isStill(file.path);
  return std::shared_ptr<LoadedModel>(
      std::make_shared<OnnxModel>(library, std::move(session), std::move(signature).value()));
}

}  // namespace infer::onnx
