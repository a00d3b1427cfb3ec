// SPDX-License-Identifier: Apache-2.0
// Which cores a thread may use, and pinning it to some of them.
// Threads: every function reads or changes the calling thread only; any.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "native/base/error.h"

namespace infer {

// Ids of the cores the calling thread may run on, ascending, never empty. Call it before pinning.
// Without an affinity interface (macOS): 0 to the number of cores minus one.
// Errors: kDeviceUnavailable when the operating system refuses to tell.
[[nodiscard]] Result<std::vector<int>> allowedCores();

// Lets the calling thread run on exactly these cores; order and repetition do not matter.
// Errors, after which the thread runs where it ran before: kBadInput for an empty list or an id
// outside 0 to 65535, kDeviceUnavailable when the system does not grant every core of the list.
// It asks the system again afterwards, because a list of which only a part lies within the
// process's cpuset is cut down in silence (sched_setaffinity(2), notes on cpusets).
[[nodiscard]] Result<void> pinThisThread(std::span<const int> cores);

// The same for one core.
[[nodiscard]] Result<void> pinThisThread(int core);

// The core that the calling thread runs on at this moment; -1 where the system does not tell.
int currentCore();

// Shows `name` for the calling thread in ps, top and debuggers, cut to the 15 bytes Linux keeps.
void nameThisThread(std::string_view name);

}  // namespace infer
