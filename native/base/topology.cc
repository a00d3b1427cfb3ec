// SPDX-License-Identifier: Apache-2.0
// Reads siblings and nodes from /sys/devices/system.
#include "native/base/topology.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "native/base/host_file.h"

namespace infer {

namespace {

namespace fs = std::filesystem;

// Linux knows at most 1024 nodes (CONFIG_NODES_SHIFT).
constexpr std::int64_t kMostNodes = 1024;

// The lowest core of those that share the units of `core`, itself included.
int physicalOf(int core, const fs::path& cores, std::string& problem) {
  const fs::path file = cores / ("cpu" + std::to_string(core)) / "topology/thread_siblings_list";
  const std::optional<std::string> text = hostText(file, problem);
  if (!text) {
    return core;
  }
  const std::optional<std::vector<int>> siblings = coreListOf(*text);
  if (!siblings || !std::ranges::binary_search(*siblings, core)) {
    addProblem(problem, file, "a list of cores with " + std::to_string(core) + " in it", *text);
    return core;
  }
  return siblings->front();
}

// The number in "node3"; nothing for other entries of the folder.
std::optional<int> nodeNamed(std::string_view name) {
  constexpr std::string_view kPrefix = "node";
  const auto number = name.starts_with(kPrefix) ? integerOf(name.substr(kPrefix.size()))
                                                : std::optional<std::int64_t>();
  return number && *number >= 0 && *number < kMostNodes ? std::optional(static_cast<int>(*number))
                                                        : std::nullopt;
}

// Sets the node of every core that some node lists.
void readNodes(const fs::path& nodes, Topology& topology) {
  std::error_code failure;  // no such folder: a kernel without NUMA, all is node 0
  for (fs::directory_iterator at(nodes, failure), end; !failure && at != end;
       at.increment(failure)) {
    const std::optional<int> node = nodeNamed(at->path().filename().string());
    const fs::path file = at->path() / "cpulist";
    const auto text = node ? hostText(file, topology.problem) : std::nullopt;
    if (!text) {
      continue;
    }
    const std::optional<std::vector<int>> cores = coreListOf(*text);
    if (!cores) {
      addProblem(topology.problem, file, "a list of cores", *text);
      continue;
    }
    for (Core& core : topology.cores) {
      core.node = std::ranges::binary_search(*cores, core.id) ? *node : core.node;
    }
  }
}

}  // namespace

int Topology::nodeOf(int core) const {
  const auto at = std::ranges::find(cores, core, &Core::id);
  return at == cores.end() ? 0 : at->node;
}

std::vector<int> Topology::coresOf(int node) const {
  std::vector<int> ids;
  for (const Core& core : cores) {
    if (core.node == node) {
      ids.push_back(core.id);
    }
  }
  return ids;
}

Topology readTopology(std::span<const int> allowed, const fs::path& root) {
  const fs::path system = root / "sys/devices/system";
  Topology topology;
  for (const int core : allowed) {
    const int physical = physicalOf(core, system / "cpu", topology.problem);
    topology.cores.push_back({.id = core, .physical = physical});
  }
  readNodes(system / "node", topology);
  return topology;
}

}  // namespace infer
