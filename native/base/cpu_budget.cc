// SPDX-License-Identifier: Apache-2.0
// Turns cores and quota into a number of lanes.
// Threads: free functions without shared state; any.
#include "native/base/cpu_budget.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>

#include "native/base/cpu_quota.h"

namespace infer {

namespace {

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

std::string reasonFor(const CpuBudget& budget, std::size_t allowed, const CpuQuota& quota) {
  std::string text =
      std::to_string(budget.cores.size()) + " of " + counted(allowed, "allowed core") + ", ";
  text += std::isinf(quota.cores) ? "no CPU quota"
                                  : "CPU quota of " + shortNumber(quota.cores) + " cores";
  if (!quota.problem.empty()) {
    text += " (" + quota.problem + ")";
  }
  text += ": " + counted(static_cast<std::size_t>(budget.lanes), "lane");
  if (!budget.pin) {
    return text + ", not pinned";
  }
  text += budget.lanes == 1 ? ", pinned to its core" : ", each pinned to its core";
  return budget.cores.size() < allowed ? text + ", one core left to the JS thread" : text;
}

}  // namespace

CpuBudget planLanes(std::span<const int> allowed, const CpuQuota& quota) {
  CpuBudget budget;
  budget.quota = quota.cores;
  const double cores = static_cast<double>(allowed.size());
  budget.lanes = std::max(1, static_cast<int>(std::min(cores, std::ceil(quota.cores))));
  const bool spare = budget.lanes >= 3;
  budget.lanes -= spare ? 1 : 0;
  budget.pin = !allowed.empty() && quota.cores >= cores;
  const std::span<const int> used = budget.pin && spare ? allowed.subspan(1) : allowed;
  budget.cores.assign(used.begin(), used.end());
  budget.reason = reasonFor(budget, allowed.size(), quota);
  return budget;
}

}  // namespace infer
