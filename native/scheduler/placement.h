// SPDX-License-Identifier: Apache-2.0
// Which lanes a model gets that names no cores.
// Threads: any; pure.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace infer {

struct LaneLoad {
  int node = 0;            // NUMA node; the same for lanes that are not pinned
  std::size_t models = 0;  // placed on it
  bool stuck = false;      // a run that does not end holds it: the last choice
};

// Positions in `lanes` of `wanted` of them, at most all: the emptiest ones of the node where they
// are emptiest, as lanes of one node share one copy of the weights beside them; of all nodes where
// no node has enough. Equals in the order given.
std::vector<std::size_t> chooseLanes(std::span<const LaneLoad> lanes, std::size_t wanted);

}  // namespace infer
