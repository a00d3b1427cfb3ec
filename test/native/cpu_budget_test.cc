// SPDX-License-Identifier: Apache-2.0
// Quotas read from small copies of hosts' /proc and /sys, and the lanes planned from them.
#include "native/base/cpu_budget.h"

#include <filesystem>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "test/native/check.h"

namespace {

using infer::CpuBudget;
using infer::CpuQuota;

constexpr double kNone = std::numeric_limits<double>::infinity();

struct HostCase {
  const char* name;
  const char* host;  // folder under test/fixtures/hosts
  double cores;
  const char* problemFile;  // "" when everything can be understood
};

// The expected figures are quota over period by hand from the files in each folder.
constexpr HostCase kHosts[] = {
    {"v2: quota over period of the own group", "v2", 2, ""},
    {"v2: max is no quota", "v2-max", kNone, ""},
    {"v2: less than one core", "v2-half", 0.5, ""},
    {"v2: an ancestor with a smaller quota wins", "v2-nested", 1.5, ""},
    {"v2: a group without cpu.max does not limit", "v2-missing", kNone, ""},
    {"v2: a quota that is no number does not limit and is named", "v2-malformed", kNone,
     "app.slice/cpu.max"},
    {"v2: a malformed child leaves the parent's quota in force", "v2-malformed-child", 3,
     "pod/app/cpu.max"},
    {"v2: a path outside the namespace does not name a neighbour", "v2-outside-namespace", kNone,
     ""},
    {"v1: the own group's quota over its own period", "v1", 1.5, ""},
    {"v1: a quota of -1 is none", "v1-none", kNone, ""},
    {"v1: a quota without a period does not limit and is named", "v1-malformed", kNone,
     "cpu.cfs_quota_us"},
    {"v1: a mount whose root is the container's group", "v1-container", 2.5, ""},
    {"v1: a group below such a mount's root", "v1-container-nested", 1.2, ""},
    {"v1: a root that is only the beginning of the group's name", "v1-sibling-root", 1, ""},
    {"v1: a mount point with a blank in its name", "v1-escaped-mount", 3, ""},
    {"hybrid: the smaller of both versions", "hybrid", 1.25, ""},
    {"hybrid: no quota in either", "hybrid-none", kNone, ""},
    {"a host without control groups has no quota", "no-cgroups", kNone, ""},
    {"a host without /proc has no quota", "no-such-host", kNone, ""},
};

void checkHost(const HostCase& row) {
  const std::filesystem::path hosts =
      std::filesystem::path(INFER_SOURCE_DIR) / "test" / "fixtures" / "hosts";
  const CpuQuota quota = infer::readCpuQuota(hosts / row.host);
  check::equal(quota.cores, row.cores,
               std::to_string(row.cores) + " cores, got " + std::to_string(quota.cores));
  const std::string_view file = row.problemFile;
  check::equal(quota.problem.empty(), file.empty(),
               "a problem only when one is there: " + quota.problem);
  check::that(quota.problem.find(file) != std::string::npos, "the problem to name its file");
}

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

const bool kRegistered = [] {
  for (const HostCase& row : kHosts) {
    check::cases().push_back({row.name, [&row] { checkHost(row); }});
  }
  for (const PlanCase& row : kPlans) {
    check::cases().push_back({row.name, [&row] { checkPlan(row); }});
  }
  return true;
}();

const check::Add kThisHost("this host's own files can be understood", [] {
  const CpuQuota quota = infer::readCpuQuota();
  check::that(quota.cores > 0, "a quota above zero");
  check::equal(quota.problem, std::string(), "no problem, got: " + quota.problem);
});

}  // namespace
