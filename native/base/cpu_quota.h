// SPDX-License-Identifier: Apache-2.0
// How much CPU time the control groups of this process grant it.
// Threads: free functions without shared state; any.
#pragma once

#include <filesystem>
#include <limits>
#include <string>

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

}  // namespace infer
