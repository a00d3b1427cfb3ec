// SPDX-License-Identifier: Apache-2.0
// Loads a model with its weights in the memory of the NUMA nodes that its lanes run on.
// Threads: loadOnNodes on a loader thread; the model it gives as any LoadedModel.
#pragma once

#include <memory>
#include <span>

#include "native/base/error.h"
#include "native/base/topology.h"
#include "native/engine/engine.h"
#include "native/scheduler/scheduler.h"

namespace infer {

// Loads `spec` once for each node of `cores`, the lanes' cores; where there are several, run() of
// the model it returns uses the copy of the node it is called on. While it loads, the calling
// thread runs on that node only: the kernel takes memory from the node that touches it first.
// Loads once and where it is when the host has one node, the device is not the CPU, or no core is
// given because lanes are not pinned. With spec.warmup every copy runs once.
Result<std::shared_ptr<LoadedModel>> loadOnNodes(const LoadSpec& spec, Engine& engine,
                                                 const Topology& topology,
                                                 std::span<const int> cores);

}  // namespace infer
