// SPDX-License-Identifier: Apache-2.0
// The rules of load_rules.h.
#include "native/scheduler/load_rules.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/engine/engine.h"
#include "native/scheduler/policy.h"
#include "native/scheduler/scheduler.h"

namespace infer {
namespace {

// Rows of one run unless the model says otherwise: past it, throughput of small models grows
// little.
constexpr std::int64_t kDefaultMaxBatch = 32;

// One row, and one element along every other axis that the file and its declaration leave free. A
// declaration that does not fit the file is refused later.
Shape smallestShape(const TensorSpec& spec, const std::map<std::string, Shape>& declared) {
  Shape shape = spec.shape;
  const auto found = declared.find(spec.name);
  if (found != declared.end() && found->second.size() == shape.size()) {
    std::ranges::transform(
        shape, found->second, shape.begin(),
        [](std::int64_t own, std::int64_t narrowed) { return own == kFreeAxis ? narrowed : own; });
  }
  std::ranges::replace(shape, kFreeAxis, 1);
  return shape;
}

Result<Batch> zeroBatch(const Signature& signature, const std::map<std::string, Shape>& declared) {
  Batch batch;
  batch.rows = 1;
  for (const TensorSpec& spec : signature.inputs) {
    Tensor tensor{
        .type = spec.type, .shape = smallestShape(spec, declared), .bytes = {}, .strings = {}};
    const auto count = elementCount(tensor.shape);
    if (!count.ok()) {
      return count.error();
    }
    if (spec.type == ElementType::kString) {
      tensor.strings.resize(count.value());
    } else {
      tensor.bytes = Bytes::allocate(count.value() * elementTypeInfo(spec.type).bytes);
      std::fill_n(tensor.bytes.data(), tensor.bytes.size(), std::byte{0});
    }
    batch.inputs.push_back(std::move(tensor));
  }
  return batch;
}

}  // namespace

std::string sharingKey(const LoadSpec& spec, std::string_view engine) {
  std::error_code failure;
  auto real = std::filesystem::canonical(spec.file.path, failure);
  if (failure) {
    real = spec.file.path;  // the load will say what is wrong with it
  }
  const auto size = std::filesystem::file_size(spec.file.path, failure);
  const auto changed = std::filesystem::last_write_time(spec.file.path, failure);
  std::string key = std::string(engine) + '\n' + spec.device.name + '\n' + real.string();
  const auto add = [&key](auto number) { key += '\n' + std::to_string(number); };
  add(size);
  add(changed.time_since_epoch().count());
  add(spec.file.threadsPerRun);
  add(spec.limits.maxBatch);
  add(spec.limits.maxDelay);
  add(spec.limits.alwaysDelay ? 1 : 0);
  add(spec.limits.maxQueue);
  add(spec.limits.maxQueueRows);
  add(spec.limits.maxQueueBytes);
  add(spec.placement.lanes);
  for (const int core : spec.placement.cores) {
    add(core);
  }
  return key;
}

Result<Limits> resolveLimits(Limits limits, const Signature& signature) {
  const bool asked = limits.maxBatch > 1;
  if (asked && !hasFreeRows(signature)) {
    return Error{
        ErrorCode::kBadInput,
        "batching.maxBatch: expected 1 for a model that cannot be batched (axis 0 of some input or "
        "output is not free), got " +
            std::to_string(limits.maxBatch),
        {}};
  }
  limits.batchable = asked || (limits.maxBatch == 0 && isBatchable(signature));
  if (!limits.batchable) {
    limits.maxBatch = 1;
  } else if (limits.maxBatch == 0) {
    limits.maxBatch = kDefaultMaxBatch;
  }
  return limits;
}

Result<Outputs> warmUp(LoadedModel& model, const std::map<std::string, Shape>& declared) {
  auto zeros = zeroBatch(model.signature(), declared);
  if (!zeros.ok()) {
    return std::move(zeros).error();
  }
  return model.run(zeros.value(), {});
}

}  // namespace infer
