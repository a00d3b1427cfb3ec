// SPDX-License-Identifier: Apache-2.0
// Pins the loading thread to a node, and keeps one copy a node.
#include "native/scheduler/node_copies.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <stop_token>
#include <utility>
#include <vector>

#include "native/base/affinity.h"
#include "native/base/error.h"
#include "native/base/log.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/base/topology.h"
#include "native/engine/engine.h"
#include "native/scheduler/load_rules.h"
#include "native/scheduler/scheduler.h"

namespace infer {
namespace {

// While it lives, its thread runs on some cores only. A thread that the system does not let there
// stays where it is: the weights are then further away, and nothing worse happens.
class Confined {
 public:
  explicit Confined(const std::vector<int>& cores) {
    Result<std::vector<int>> before = allowedCores();
    if (before.ok()) {
      before_ = std::move(before).value();
    }
    const Result<void> pinned = pinThisThread(cores);
    if (!pinned.ok()) {
      Log::process().write({LogLevel::kWarn, "scheduler", pinned.error().message});
    }
  }
  ~Confined() {
    static_cast<void>(pinThisThread(before_));  // it was allowed a moment ago
  }
  Confined(const Confined&) = delete;
  Confined& operator=(const Confined&) = delete;

 private:
  std::vector<int> before_;  // empty where the system does not tell; then it does not pin either
};

using Copies = std::map<int, std::shared_ptr<LoadedModel>>;  // by node

class NodeCopies final : public LoadedModel {
 public:
  NodeCopies(Copies copies, const Topology& topology) : copies_(std::move(copies)) {
    for (const Core& core : topology.cores) {
      const auto at = copies_.find(core.node);
      byCore_.resize(static_cast<std::size_t>(core.id) + 1, &any());
      byCore_.back() = at == copies_.end() ? &any() : at->second.get();
    }
  }

  const Signature& signature() const override { return any().signature(); }

  Result<Outputs> run(const Batch& inputs, const std::stop_token& stop) override {
    const auto core = static_cast<std::size_t>(std::max(currentCore(), 0));
    LoadedModel& near = core < byCore_.size() ? *byCore_[core] : any();
    return near.run(inputs, stop);
  }

 private:
  LoadedModel& any() const { return *copies_.begin()->second; }

  const Copies copies_;               // not empty
  std::vector<LoadedModel*> byCore_;  // by core id; into copies_
};

Result<std::shared_ptr<LoadedModel>> loadHere(const LoadSpec& spec, Engine& engine) {
  auto loaded = engine.load(spec.file, spec.device);
  if (loaded.ok() && spec.warmup) {
    auto warm = warmUp(*loaded.value(), spec.declared, spec.limits.buckets);
    if (!warm.ok()) {
      const bool isMemory = warm.error().code == ErrorCode::kOutOfMemory;
      return Error{isMemory ? ErrorCode::kOutOfMemory : ErrorCode::kModelInvalid,
                   spec.file.path + ": the warm-up run with zeros failed: " + warm.error().message,
                   "warmup"};
    }
  }
  return loaded;
}

// The nodes to load on; none where it does not matter.
std::set<int> nodesFor(const LoadSpec& spec, const Topology& topology, std::span<const int> cores) {
  std::set<int> nodes;
  const auto isNode = [&topology](const Core& core) {
    return core.node == topology.cores.front().node;
  };
  if (spec.device.name == "cpu" && !std::ranges::all_of(topology.cores, isNode)) {
    for (const int core : cores) {
      nodes.insert(topology.nodeOf(core));
    }
  }
  return nodes;
}

}  // namespace

Result<std::shared_ptr<LoadedModel>> loadOnNodes(const LoadSpec& spec, Engine& engine,
                                                 const Topology& topology,
                                                 std::span<const int> cores) {
  Copies copies;
  for (const int node : nodesFor(spec, topology, cores)) {
    const Confined confined(topology.coresOf(node));
    auto loaded = loadHere(spec, engine);
    if (!loaded.ok()) {
      return loaded;
    }
    copies.emplace(node, std::move(loaded).value());
  }
  if (copies.empty()) {
    return loadHere(spec, engine);
  }
  if (copies.size() == 1) {
    return copies.begin()->second;
  }
  return std::shared_ptr<LoadedModel>(std::make_shared<NodeCopies>(std::move(copies), topology));
}

}  // namespace infer
