// SPDX-License-Identifier: Apache-2.0
// The lanes that follow from the cores and the CPU time this process may use.
// Threads: free functions without shared state; any.
#pragma once

#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "native/base/cpu_quota.h"
#include "native/base/topology.h"

namespace infer {

// How many lanes to run and where, unless the user says otherwise.
struct CpuBudget {
  std::vector<int> cores;  // every allowed core, in the order in which lanes get them
  double quota = std::numeric_limits<double>::infinity();  // cores; infinity: none
  int lanes = 1;
  bool pin = false;                        // the default lanes have the first of `cores`, one each
  std::string reason = {};                 // one sentence for the log, without a full stop
  Topology topology = {};                  // of the allowed cores
  std::vector<std::string> problems = {};  // files of the system that cannot be understood
};

// Pure. How many: one lane for each physical core of which some core is allowed, or the rounded-up
// quota, whichever is less. Siblings share the units that do a model's arithmetic, so a second lane
// there would add little throughput and slow the first one down; engines count physical cores for
// the same reason. From three on, one less, and the lowest physical core (where most interrupts
// go, too) is left to the JS threads. Below that JS threads share, or have the siblings.
//
// Where: node by node, so that neighbours share memory. Lanes are pinned unless the quota is below
// the allowed cores: a quota is time on any core, and every container of a host that pinned its
// lanes to the first cores would pile up there with the others. Who asks for more lanes gets the JS
// threads' core next and siblings last. No known core plans one loose lane.
CpuBudget planLanes(Topology topology, const CpuQuota& quota);

// The same for the host below `root`. `allowed`: ascending, as allowedCores() gives them.
CpuBudget planLanes(std::span<const int> allowed, const std::filesystem::path& root = "/");

}  // namespace infer
