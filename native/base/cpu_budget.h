// SPDX-License-Identifier: Apache-2.0
// The lanes that follow from the cores and the CPU time this process may use.
// Threads: free functions without shared state; any.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <vector>

#include "native/base/cpu_quota.h"

namespace infer {

// How many lanes to run and where, unless the user says otherwise.
struct CpuBudget {
  std::vector<int> cores;  // pin: one core for each lane, in order; else every allowed core
  double quota = std::numeric_limits<double>::infinity();  // cores; infinity: none
  int lanes = 1;
  bool pin = false;
  std::string reason;  // one sentence for the log, without a full stop
};

// Pure. Lanes: as many as allowed cores or the rounded-up quota, whichever is less; from three on,
// one less, and the lowest core is left to the JS thread. Lanes are pinned unless the quota is
// below the allowed cores: a quota is time on any core, and every container of a host that pinned
// its lanes to the first cores would pile up there with the others.
// `allowed`: ascending core ids, as allowedCores() gives them; an empty list plans one loose lane.
CpuBudget planLanes(std::span<const int> allowed, const CpuQuota& quota);

}  // namespace infer
