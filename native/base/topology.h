// SPDX-License-Identifier: Apache-2.0
// Which cores share the units of one physical core, and which share the memory of one NUMA node.
// Threads: free functions without shared state; any.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace infer {

// A core as the affinity mask counts them: a hardware thread.
struct Core {
  int id = 0;
  int physical = 0;  // lowest id of the cores that share its units, whether allowed here or not
  int node = 0;      // NUMA node

  bool operator==(const Core&) const = default;
};

struct Topology {
  std::vector<Core> cores;  // ascending by id
  std::string problem;      // names a file that is there but cannot be understood; else empty

  // The node of a core, 0 for one that is not here.
  int nodeOf(int core) const;
  // The cores of a node, ascending.
  std::vector<int> coresOf(int node) const;
};

// Looks the allowed cores up in /sys/devices/system below `root`, so that a test can bring a host
// along. A core about which nothing is said (another system, a container without /sys) or nothing
// that can be understood shares its units with no other and belongs to node 0.
// `allowed`: ascending core ids, as allowedCores() gives them.
// @source the kernel's ABI/stable/sysfs-devices-system-cpu and ABI/stable/sysfs-devices-node.
Topology readTopology(std::span<const int> allowed, const std::filesystem::path& root = "/");

}  // namespace infer
