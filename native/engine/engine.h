// SPDX-License-Identifier: Apache-2.0
// The interface every engine implements, with its contract. The scheduler knows nothing else of
// engines. Threads: see each function.
#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"

namespace infer {

// Where a model is loaded and lanes run: "cpu", "cuda:1", "neuron:3".
struct Device {
  std::string name;
};

struct ModelFile {
  std::string path;       // absolute
  int threadsPerRun = 1;  // >= 1; threads of one run, the lane's own included
};

// A model loaded once per device. Owned by the scheduler and by the runs in flight; the last one
// destroys it, never on a JS thread. Every lane of the device calls run(), at the same time.
class LoadedModel {
 public:
  virtual ~LoadedModel() = default;

  // thread: any. Constant for the life of the model.
  virtual const Signature& signature() const = 0;

  // thread: lane. Inputs match the signature and stay valid during the call, not after. Outputs are
  // in the order of the signature and own their memory. When `stop` is requested the run ends as
  // soon as the engine can, with any error. Errors: kEngineFailed with the engine's message; never
  // throws.
  virtual Result<Outputs> run(const Batch& inputs, const std::stop_token& stop) = 0;
};

// One per process and engine library; lives until the process ends.
class Engine {
 public:
  virtual ~Engine() = default;

  // thread: any.
  virtual std::string_view name() const = 0;

  // thread: any. What works here and now.
  virtual std::vector<Device> devices() const = 0;

  // thread: loader; several loads may run at once. Errors: kModelNotFound, kModelInvalid (the file
  // is at fault), kDeviceUnavailable, kEngineFailed (the engine is). A failed load leaves nothing
  // behind.
  virtual Result<std::shared_ptr<LoadedModel>> load(const ModelFile& file,
                                                    const Device& device) = 0;
};

}  // namespace infer
