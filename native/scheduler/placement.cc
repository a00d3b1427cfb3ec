// SPDX-License-Identifier: Apache-2.0
// Keeps the lanes of a model on one node where they fit.
#include "native/scheduler/placement.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace infer {

namespace {

using Positions = std::vector<std::size_t>;

std::size_t modelsOn(std::span<const LaneLoad> lanes, const Positions& chosen) {
  std::size_t models = 0;
  for (const std::size_t at : chosen) {
    models += lanes[at].models;
  }
  return models;
}

}  // namespace

std::vector<std::size_t> chooseLanes(std::span<const LaneLoad> lanes, std::size_t wanted) {
  Positions emptiest;
  for (std::size_t at = 0; at < lanes.size(); ++at) {
    emptiest.push_back(at);
  }
  std::ranges::sort(emptiest, {},
                    [&lanes](std::size_t at) { return std::pair(lanes[at].models, at); });
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
    if (fits && (!best || modelsOn(lanes, chosen) < modelsOn(lanes, *best))) {
      best = chosen;
    }
  }
  emptiest.resize(std::min(wanted, emptiest.size()));
  return best ? *std::move(best) : emptiest;
}

}  // namespace infer
