// SPDX-License-Identifier: Apache-2.0
// Lanes planned from cores and quotas.
#include "native/base/cpu_budget.h"

#include <limits>
#include <string>
#include <vector>

#include "test/native/check.h"

namespace {

using infer::CpuBudget;

constexpr double kNone = std::numeric_limits<double>::infinity();

struct PlanCase {
  const char* name;
  std::vector<int> allowed;
  double quota;
  const char* problem;
  int lanes;
  bool pin;
  std::vector<int> cores;
  const char* reason;
};

const std::vector<PlanCase> kPlans = {
    {"one core",
     {0},
     kNone,
     "",
     1,
     true,
     {0},
     "1 of 1 allowed core, no CPU quota: 1 lane, pinned to its core"},
    {"two cores are both used",
     {0, 1},
     kNone,
     "",
     2,
     true,
     {0, 1},
     "2 of 2 allowed cores, no CPU quota: 2 lanes, each pinned to its core"},
    {"from three cores on the lowest is left to the JS thread",
     {4, 6, 7},
     kNone,
     "",
     2,
     true,
     {6, 7},
     "2 of 3 allowed cores, no CPU quota: 2 lanes, each pinned to its core, one core left to the "
     "JS thread"},
    {"a quota of all allowed cores does not unpin",
     {0, 1},
     2,
     "",
     2,
     true,
     {0, 1},
     "2 of 2 allowed cores, CPU quota of 2 cores: 2 lanes, each pinned to its core"},
    {"a quota above the allowed cores does not add lanes",
     {5},
     8,
     "",
     1,
     true,
     {5},
     "1 of 1 allowed core, CPU quota of 8 cores: 1 lane, pinned to its core"},
    {"half a core is one lane, free to move",
     {0, 1, 2, 3},
     0.5,
     "",
     1,
     false,
     {0, 1, 2, 3},
     "4 of 4 allowed cores, CPU quota of 0.5 cores: 1 lane, not pinned"},
    {"a fractional quota rounds up",
     {0, 1, 2, 3},
     1.5,
     "",
     2,
     false,
     {0, 1, 2, 3},
     "4 of 4 allowed cores, CPU quota of 1.5 cores: 2 lanes, not pinned"},
    {"a quota of three leaves one to the JS thread",
     {0, 1, 2, 3},
     3,
     "",
     2,
     false,
     {0, 1, 2, 3},
     "4 of 4 allowed cores, CPU quota of 3 cores: 2 lanes, not pinned"},
    {"a quota just below the cores unpins",
     {0, 1},
     1.5,
     "",
     2,
     false,
     {0, 1},
     "2 of 2 allowed cores, CPU quota of 1.5 cores: 2 lanes, not pinned"},
    {"what could not be understood is told",
     {0, 1},
     kNone,
     "cpu.max is not a CPU quota",
     2,
     true,
     {0, 1},
     "2 of 2 allowed cores, no CPU quota (cpu.max is not a CPU quota): 2 lanes, each pinned to "
     "its core"},
    {"no known core still plans one lane",
     {},
     kNone,
     "",
     1,
     false,
     {},
     "0 of 0 allowed cores, no CPU quota: 1 lane, not pinned"},
};

void checkPlan(const PlanCase& row) {
  const CpuBudget budget = infer::planLanes(row.allowed, {row.quota, row.problem});
  check::equal(budget.lanes, row.lanes, std::to_string(row.lanes) + " lanes");
  check::equal(budget.pin, row.pin, row.pin ? "pinned lanes" : "lanes that are not pinned");
  check::equal(budget.cores, row.cores, "the cores of the row");
  check::equal(budget.quota, row.quota, "the quota handed on");
  check::equal(budget.reason, std::string(row.reason),
               std::string("the reason of the row, got: ") + budget.reason);
}

const check::AddEach kEachPlan(kPlans, checkPlan);

}  // namespace
