// SPDX-License-Identifier: Apache-2.0
// Keeps the lanes of a model on one node where they fit.
#include "native/scheduler/placement.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

namespace infer {

namespace {

using Positions = std::vector<std::size_t>;

// How many of `chosen` are stuck, and the models on all of them.
std::pair<std::size_t, std::size_t> loadOf(std::span<const LaneLoad> lanes,
                                           const Positions& chosen) {
  std::size_t stuck = 0;
  std::size_t models = 0;
  for (const std::size_t at : chosen) {
    stuck += lanes[at].stuck ? 1 : 0;
    models += lanes[at].models;
  }
  return {stuck, models};
}

}  // namespace

std::vector<std::size_t> chooseLanes(std::span<const LaneLoad> lanes, std::size_t wanted) {
  Positions emptiest;
  for (std::size_t at = 0; at < lanes.size(); ++at) {
    emptiest.push_back(at);
  }
  std::ranges::sort(emptiest, {}, [&lanes](std::size_t at) {
    return std::tuple(lanes[at].stuck, lanes[at].models, at);
  });
  std::map<int, Positions> byNode;  // the first `wanted` of each node
  for (const std::size_t at : emptiest) {
    Positions& chosen = byNode[lanes[at].node];
    if (chosen.size() < wanted) {
      chosen.push_back(at);
    }
  }
  std::optional<Positions> best;
  for (const auto& [node, chosen] : byNode) {
    const bool fits = chosen.size() == wanted;
    if (fits && (!best || loadOf(lanes, chosen) < loadOf(lanes, *best))) {
      best = chosen;
    }
  }
  emptiest.resize(std::min(wanted, emptiest.size()));
  return best ? *std::move(best) : emptiest;
}

}  // namespace infer
