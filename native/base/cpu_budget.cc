// SPDX-License-Identifier: Apache-2.0
// Orders the cores, counts the lanes, and says why.
#include "native/base/cpu_budget.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "native/base/cpu_quota.h"
#include "native/base/topology.h"

namespace infer {

namespace {

// From so many physical cores on, JS threads get one of their own: of two it would be half.
constexpr int kEnoughToSpare = 3;

// Position among the allowed cores of its physical core: a sibling has 1 or more.
std::size_t rankOf(const Core& core, const Topology& topology) {
  return static_cast<std::size_t>(std::ranges::count_if(topology.cores, [&core](const Core& other) {
    return other.physical == core.physical && other.id < core.id;
  }));
}

// The allowed cores that share their units with the lowest one.
std::vector<int> firstPhysical(const Topology& topology) {
  std::vector<int> ids;
  for (const Core& core : topology.cores) {
    if (core.physical == topology.cores.front().physical) {
      ids.push_back(core.id);
    }
  }
  return ids;
}

// Every core in the order in which lanes get them: those of `spared` late.
std::vector<int> laneOrder(const Topology& topology, const std::vector<int>& spared) {
  std::vector<std::tuple<std::size_t, bool, int, int>> order;
  order.reserve(topology.cores.size());
  for (const Core& core : topology.cores) {
    const bool isSpared = std::ranges::find(spared, core.id) != spared.end();
    order.emplace_back(rankOf(core, topology), isSpared, core.node, core.id);
  }
  std::ranges::sort(order);
  std::vector<int> ids;
  ids.reserve(order.size());
  for (const auto& [rank, isSpared, node, id] : order) {
    ids.push_back(id);
  }
  return ids;
}

std::string shortNumber(double value) {
  std::string text = std::to_string(value);  // six decimals
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') {
    text.pop_back();
  }
  return text;
}

std::string counted(std::size_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

// What the plan begins with.
struct Given {
  std::size_t physical = 0;
  std::size_t nodes = 0;
  std::vector<int> spared;  // the cores of the physical core that the JS threads get; or none
};

std::string coresText(const CpuBudget& budget, const Given& given) {
  std::string text = counted(budget.cores.size(), "allowed core");
  if (given.physical < budget.cores.size()) {
    text += " on " + counted(given.physical, "physical core");
  }
  if (given.nodes > 1) {
    text += " of " + counted(given.nodes, "NUMA node");
  }
  const bool limited = !std::isinf(budget.quota);
  return text + (limited ? ", a CPU quota of " + shortNumber(budget.quota) +
                               (budget.quota == 1 ? " core" : " cores")
                         : ", no CPU quota");
}

std::string restText(const CpuBudget& budget, const Given& given) {
  const bool siblings = given.physical < budget.cores.size();
  if (!given.spared.empty() && !budget.pin) {
    return "the time of one core left to the JS threads";
  }
  if (!given.spared.empty()) {
    std::string text = given.spared.size() == 1 ? "core" : "cores";
    for (const int core : given.spared) {
      text += (core == given.spared.front() ? " " : " and ") + std::to_string(core);
    }
    return text + " left to the JS threads";
  }
  return budget.pin && siblings ? "the other siblings left to the JS threads"
                                : "shared with the JS threads";
}

std::string reasonFor(const CpuBudget& budget, const Given& given) {
  const bool siblings = given.physical < budget.cores.size();
  std::string text = coresText(budget, given) + ": ";
  text += counted(static_cast<std::size_t>(budget.lanes), "lane");
  if (!budget.pin) {
    text += ", not pinned";
  } else {
    text += budget.lanes == 1 ? ", pinned to a core" : ", each pinned to a core";
    text += siblings ? " that shares no units with another lane's" : "";
  }
  return text + ", " + restText(budget, given);
}

}  // namespace

CpuBudget planLanes(Topology topology, const CpuQuota& quota) {
  Given given;
  std::set<int> physical;
  std::set<int> nodes;
  for (const Core& core : topology.cores) {
    physical.insert(core.physical);
    nodes.insert(core.node);
  }
  given.physical = physical.size();
  given.nodes = nodes.size();
  const double most = std::min(static_cast<double>(given.physical), std::ceil(quota.cores));
  CpuBudget budget;
  budget.quota = quota.cores;
  budget.lanes = std::max(1, static_cast<int>(most));
  if (budget.lanes >= kEnoughToSpare) {
    given.spared = firstPhysical(topology);
    --budget.lanes;
  }
  const auto allowed = static_cast<double>(topology.cores.size());
  budget.pin = allowed > 0 && quota.cores >= allowed;
  budget.cores = laneOrder(topology, given.spared);
  budget.reason = reasonFor(budget, given);
  for (const std::string& problem : {quota.problem, topology.problem}) {
    if (!problem.empty()) {
      budget.problems.push_back(problem);
    }
  }
  budget.topology = std::move(topology);
  return budget;
}

CpuBudget planLanes(std::span<const int> allowed, const std::filesystem::path& root) {
  return planLanes(readTopology(allowed, root), readCpuQuota(root));
}

}  // namespace infer
