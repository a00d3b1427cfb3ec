// SPDX-License-Identifier: Apache-2.0
// How much CPU this process may use, from its core mask and cgroup quota, and the lanes that
// follow. Threads: free functions without shared state; any.
#pragma once

#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace infer {

// CPU time per wall time that the process's control groups grant, in cores: 1.5 is one and a half.
struct CpuQuota {
  double cores = std::numeric_limits<double>::infinity();  // infinity: no quota
  std::string problem;  // names a limit that is there but cannot be understood; else empty
};

// Reads the smallest quota of the process's cgroups and all their visible ancestors: version 2
// (cpu.max), version 1 (cpu.cfs_quota_us over cpu.cfs_period_us), or both on a hybrid host.
// A limit that is absent does not limit; one that cannot be understood neither, but is named.
// `root` is where /proc and the mount points are looked up, so that a test can bring a host along.
// @source cgroups(7), proc(5), and the kernel's admin-guide/cgroup-v2, "CPU Interface Files".
CpuQuota readCpuQuota(const std::filesystem::path& root = "/");

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
