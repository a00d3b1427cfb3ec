// SPDX-License-Identifier: Apache-2.0
// The requests of the property test, and the model that answers them.
// Threads: the test's own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <set>
#include <stop_token>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/engine/engine.h"
#include "native/scheduler/policy.h"
#include "test/native/test_engine.h"

namespace test {

// The same things for the same seed.
class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}

  std::int64_t below(std::int64_t limit) {
    return static_cast<std::int64_t>(engine_() % static_cast<std::uint32_t>(limit));
  }

  infer::Limits limits() {
    infer::Limits random{.batchable = below(8) != 0,
                         .maxBatch = 1 + below(8),
                         .maxDelay = below(2) * below(50),
                         .mode = static_cast<infer::BatchMode>(below(3)),
                         .maxQueue = static_cast<std::size_t>(1 + below(12))};
    if (random.batchable && below(3) == 0) {
      for (std::int64_t rows = 1 + below(3); rows < random.maxBatch; rows += 1 + below(4)) {
        random.buckets.push_back(rows);
      }
      random.buckets.push_back(random.maxBatch);
    }
    for (std::int64_t rows = 1 + below(4); rows < random.maxBatch; rows += 1 + below(4)) {
      random.preferred.push_back(rows);
    }
    if (random.preferred.empty() || below(2) == 0) {
      random.preferred.push_back(random.maxBatch);
    }
    return random;
  }

  std::optional<infer::Measured> measured() {
    if (below(2) == 0) {
      return std::nullopt;
    }
    return infer::Measured{.cost = {.known = below(4) != 0,
                                    .steady = below(2) == 0,
                                    .base = static_cast<double>(below(40)),
                                    .perRow = static_cast<double>(below(10))},
                           .gap = infer::kNever};  // the queue knows it
  }

 private:
  std::mt19937 engine_;
};

// The doubler of test_engine.h with names for its axes.
inline infer::Signature signatureOfLengths() {
  infer::Signature signature = doublerSignature();
  signature.inputs.front().axisNames = {"rows", "length"};
  signature.outputs.front().axisNames = {"rows", "length"};
  return signature;
}

// Doubles its input, fails on a negative value and when told to stop.
class Doubler final : public infer::LoadedModel {
 public:
  const infer::Signature& signature() const override { return signature_; }
  infer::Result<infer::Outputs> run(const infer::Batch& inputs,
                                    const std::stop_token& stop) override {
    sizes.insert(inputs.inputs.front().shape[0]);
    if (stop.stop_requested()) {
      return infer::Error{infer::ErrorCode::kEngineFailed, "stopped", {}};
    }
    return doubleOrFail(inputs);
  }

  std::set<std::int64_t> sizes;  // rows of its runs

 private:
  const infer::Signature signature_ = signatureOfLengths();
};

// What the test knows of a request.
struct Known {
  std::int64_t rows = 0;
  std::int64_t width = 0;
  std::int64_t taken = 0;  // rows
  infer::TimeNs arrived = 0;
  infer::TimeNs deadline = infer::kNever;
  bool poisoned = false;  // a row of it fails
  bool waits = true;      // some of it
  bool ended = false;
};

// What it asks.
inline std::vector<float> valuesOf(std::uint64_t id, const Known& known) {
  constexpr float kOfRequest = 1000;
  std::vector<float> values(static_cast<std::size_t>(known.rows * known.width));
  float value = kOfRequest * static_cast<float>(id);
  std::ranges::generate(values, [&value] { return value++; });
  if (known.poisoned) {
    values[values.size() / 2] = -1;
  }
  return values;
}

}  // namespace test
