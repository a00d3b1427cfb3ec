// SPDX-License-Identifier: Apache-2.0
// The rules of load_rules.h.
#include "native/scheduler/load_rules.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/engine/engine.h"
#include "native/scheduler/buckets.h"
#include "native/scheduler/padding.h"
#include "native/scheduler/policy.h"
#include "native/scheduler/scheduler.h"

namespace infer {
namespace {

// Rows of one run unless the model says otherwise: past it, throughput of small models grows
// little.
constexpr std::int64_t kDefaultMaxBatch = 32;

// `rows` rows, and one element along every other axis that the file and its declaration leave free.
// A declaration that does not fit the file is refused later.
Shape smallestShape(const TensorSpec& spec, const std::map<std::string, Shape>& declared,
                    std::int64_t rows) {
  Shape shape = spec.shape;
  const auto found = declared.find(spec.name);
  if (found != declared.end() && found->second.size() == shape.size()) {
    std::ranges::transform(
        shape, found->second, shape.begin(),
        [](std::int64_t own, std::int64_t narrowed) { return own == kFreeAxis ? narrowed : own; });
  }
  if (!shape.empty() && shape[0] == kFreeAxis) {
    shape[0] = rows;
  }
  std::ranges::replace(shape, kFreeAxis, 1);
  return shape;
}

Result<Batch> zeroBatch(const Signature& signature, const std::map<std::string, Shape>& declared,
                        std::int64_t rows) {
  Batch batch{.inputs = {}, .rows = rows};
  for (const TensorSpec& spec : signature.inputs) {
    Tensor tensor{.type = spec.type,
                  .shape = smallestShape(spec, declared, rows),
                  .bytes = {},
                  .strings = {}};
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

Error badBuckets(const std::string& problem) {
  return {ErrorCode::kBadInput, "batching.buckets: " + problem, {}};
}

Result<Limits> resolveBuckets(Limits limits, const Signature& signature) {
  const std::vector<std::int64_t>& buckets = limits.buckets;
  if (!std::ranges::is_sorted(buckets, std::less_equal<>())) {
    return badBuckets("expected sizes in ascending order, got " + shapeText(buckets));
  }
  if (limits.maxBatch != 0 && limits.maxBatch != buckets.back()) {
    return badBuckets("expected the largest to be batching.maxBatch, " +
                      std::to_string(limits.maxBatch) + ", got " + std::to_string(buckets.back()));
  }
  const auto check = [&buckets](const TensorSpec& spec, const char* side) -> Result<void> {
    const bool fits = spec.batchAxis || (!spec.shape.empty() && buckets.size() == 1 &&
                                         spec.shape[0] == buckets.front());
    if (fits) {
      return {};
    }
    const std::string fixed = spec.shape.empty() ? "none" : shapeText({spec.shape.data(), 1});
    return badBuckets("expected " + fixed + " for a model whose " + side + " \"" + spec.name +
                      "\" has the shape " + shapeText(spec.shape) + ", got " + shapeText(buckets));
  };
  for (const TensorSpec& spec : signature.inputs) {
    if (auto fits = check(spec, "input"); !fits.ok()) {
      return std::move(fits).error();
    }
  }
  for (const TensorSpec& spec : signature.outputs) {
    if (auto fits = check(spec, "output"); !fits.ok()) {
      return std::move(fits).error();
    }
  }
  limits.batchable = true;
  limits.maxBatch = buckets.back();
  return limits;
}

Result<Limits> resolveMaxBatch(Limits limits, const Signature& signature) {
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

Result<Limits> resolvePreferred(Limits limits) {
  std::vector<std::int64_t>& preferred = limits.preferred;
  if (limits.mode != BatchMode::kTriton) {
    if (!preferred.empty()) {
      return Error{ErrorCode::kBadInput,
                   "batching.preferred: expected none unless batching.mode is \"triton\", got " +
                       shapeText(preferred),
                   {}};
    }
    return limits;
  }
  std::ranges::sort(preferred);
  if (preferred.empty()) {
    preferred.push_back(limits.maxBatch);
  } else if (preferred.back() > limits.maxBatch) {
    return Error{ErrorCode::kBadInput,
                 "batching.preferred: expected sizes up to batching.maxBatch, " +
                     std::to_string(limits.maxBatch) + ", got " + shapeText(preferred),
                 {}};
  }
  return limits;
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
  add(static_cast<int>(spec.limits.mode));
  add(spec.limits.maxQueue);
  add(spec.limits.maxQueueRows);
  add(spec.limits.maxQueueBytes);
  for (const auto* list : {&spec.limits.buckets, &spec.limits.preferred}) {
    for (const std::int64_t rows : *list) {
      add(rows);
    }
    key += '\n';  // other numbers follow
  }
  for (const PadRule& rule : spec.padding) {
    key += '\n' + rule.input + '\0' + rule.mask;
    add(std::bit_cast<std::uint64_t>(rule.value));
  }
  key += '\n';  // numbers follow
  add(spec.placement.lanes);
  for (const int core : spec.placement.cores) {
    add(core);
  }
  return key;
}

Result<Limits> resolveLimits(Limits limits, const Signature& signature) {
  auto resolved = limits.buckets.empty() ? resolveMaxBatch(std::move(limits), signature)
                                         : resolveBuckets(std::move(limits), signature);
  return resolved.ok() ? resolvePreferred(std::move(resolved).value()) : std::move(resolved);
}

Result<void> warmUp(LoadedModel& model, const std::map<std::string, Shape>& declared,
                    Buckets buckets) {
  constexpr std::array<std::int64_t, 1> kOneRow = {1};
  for (const std::int64_t rows : buckets.empty() ? Buckets(kOneRow) : buckets) {
    auto zeros = zeroBatch(model.signature(), declared, rows);
    if (!zeros.ok()) {
      return std::move(zeros).error();
    }
    if (auto run = model.run(zeros.value(), {}); !run.ok()) {
      return std::move(run).error();
    }
  }
  return {};
}

}  // namespace infer
