// SPDX-License-Identifier: Apache-2.0
// Lanes planned for whole hosts: quota, holes in the mask, siblings, nodes, damaged files.
#include "native/base/cpu_budget.h"

#include <cstddef>
#include <string>
#include <vector>

#include "test/native/check.h"
#include "test/native/fake_host.h"

namespace {

using infer::CpuBudget;
using test::HostFiles;
using test::node;
using test::pairedCores;
using test::plainCores;

// A host with control groups of version 2 whose group a/b has these limits.
HostFiles groupsV2(const std::string& outer, const std::string& inner) {
  return {{"proc/self/cgroup", "0::/a/b"},
          {"proc/self/mountinfo", "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"},
          {"sys/fs/cgroup/a/cpu.max", outer},
          {"sys/fs/cgroup/a/b/cpu.max", inner}};
}

// The same for version 1, where a period is 100 ms.
HostFiles groupsV1(const std::string& outerUs, const std::string& innerUs) {
  return {{"proc/self/cgroup", "4:cpuset:/\n3:cpu,cpuacct:/a/b"},
          {"proc/self/mountinfo", "32 30 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu"},
          {"sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", outerUs},
          {"sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000"},
          {"sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", innerUs},
          {"sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us", "100000"}};
}

// Two nodes of two physical cores, numbered as most x86 hosts do.
HostFiles twoNodes() {
  return pairedCores(4) + node(0, "0-1,4-5") + node(1, "2-3,6-7");
}

struct Row {
  const char* name;
  HostFiles files;
  std::vector<int> allowed;
  std::size_t lanes;  // of `cores`, the first so many
  bool pin;
  std::vector<int> cores;
  const char* reason;
  const char* problem;  // part of the only one; "" when there is none
};

const std::vector<Row> kRows = {
    {"no known core still plans one lane",
     {},
     {},
     1,
     false,
     {},
     "0 allowed cores, no CPU quota: 1 lane, not pinned, shared with the JS threads",
     ""},
    {"one core",
     plainCores(0, 0),
     {0},
     1,
     true,
     {0},
     "1 allowed core, no CPU quota: 1 lane, pinned to a core, shared with the JS threads",
     ""},
    {"two cores are both used",
     plainCores(0, 1) + node(0, "0-1"),
     {0, 1},
     2,
     true,
     {0, 1},
     "2 allowed cores, no CPU quota: 2 lanes, each pinned to a core, shared with the JS threads",
     ""},
    {"of three on the lowest core is left to the JS threads, whatever its number: a mask with "
     "holes",
     plainCores(0, 7),
     {4, 6, 7},
     2,
     true,
     {6, 7, 4},
     "3 allowed cores, no CPU quota: 2 lanes, each pinned to a core, core 4 left to the JS threads",
     ""},
    {"version 2: a quota of all allowed cores does not unpin",
     plainCores(0, 1) + groupsV2("max 100000", "200000 100000"),
     {0, 1},
     2,
     true,
     {0, 1},
     "2 allowed cores, a CPU quota of 2 cores: 2 lanes, each pinned to a core, shared with the JS "
     "threads",
     ""},
    {"a quota above the allowed cores does not add lanes",
     plainCores(0, 7) + groupsV2("max 100000", "800000 100000"),
     {5},
     1,
     true,
     {5},
     "1 allowed core, a CPU quota of 8 cores: 1 lane, pinned to a core, shared with the JS threads",
     ""},
    {"half a core is one lane, free to move",
     plainCores(0, 3) + groupsV2("max 100000", "50000 100000"),
     {0, 1, 2, 3},
     1,
     false,
     {0, 1, 2, 3},
     "4 allowed cores, a CPU quota of 0.5 cores: 1 lane, not pinned, shared with the JS threads",
     ""},
    {"a fractional quota rounds up, and one just below the cores unpins",
     plainCores(0, 1) + groupsV2("max 100000", "150000 100000"),
     {0, 1},
     2,
     false,
     {0, 1},
     "2 allowed cores, a CPU quota of 1.5 cores: 2 lanes, not pinned, shared with the JS threads",
     ""},
    {"nested groups: the tightest counts, and of three one is left to the JS threads",
     plainCores(0, 7) + groupsV2("300000 100000", "600000 100000"),
     {0, 1, 2, 3, 4, 5, 6, 7},
     2,
     false,
     {1, 2, 3, 4, 5, 6, 7, 0},
     "8 allowed cores, a CPU quota of 3 cores: 2 lanes, not pinned, the time of one core left to "
     "the JS threads",
     ""},
    {"version 1",
     plainCores(0, 3) + groupsV1("-1", "150000"),
     {0, 1, 2, 3},
     2,
     false,
     {0, 1, 2, 3},
     "4 allowed cores, a CPU quota of 1.5 cores: 2 lanes, not pinned, shared with the JS threads",
     ""},
    {"version 1, nested: the tightest counts",
     plainCores(0, 3) + groupsV1("100000", "150000"),
     {0, 1, 2, 3},
     1,
     false,
     {0, 1, 2, 3},
     "4 allowed cores, a CPU quota of 1 core: 1 lane, not pinned, shared with the JS threads",
     ""},
    {"siblings: a lane for each physical core, the first one left to the JS threads",
     pairedCores(4),
     {0, 1, 2, 3, 4, 5, 6, 7},
     3,
     true,
     {1, 2, 3, 0, 5, 6, 7, 4},
     "8 allowed cores on 4 physical cores, no CPU quota: 3 lanes, each pinned to a core that "
     "shares no units with another lane's, cores 0 and 4 left to the JS threads",
     ""},
    {"siblings of two physical cores are left to the JS threads",
     pairedCores(2),
     {0, 1, 2, 3},
     2,
     true,
     {0, 1, 2, 3},
     "4 allowed cores on 2 physical cores, no CPU quota: 2 lanes, each pinned to a core that "
     "shares no units with another lane's, the other siblings left to the JS threads",
     ""},
    {"siblings of which the mask allows one each are cores like others",
     pairedCores(4),
     {1, 2, 7},
     2,
     true,
     {2, 7, 1},
     "3 allowed cores, no CPU quota: 2 lanes, each pinned to a core, core 1 left to the JS threads",
     ""},
    {"siblings and holes: the lowest allowed one stands for its physical core",
     pairedCores(4),
     {2, 4, 5, 6},
     2,
     true,
     {4, 5, 2, 6},
     "4 allowed cores on 3 physical cores, no CPU quota: 2 lanes, each pinned to a core that "
     "shares no units with another lane's, cores 2 and 6 left to the JS threads",
     ""},
    {"siblings under a quota: no more lanes than physical cores",
     pairedCores(2) + groupsV2("max 100000", "350000 100000"),
     {0, 1, 2, 3},
     2,
     false,
     {0, 1, 2, 3},
     "4 allowed cores on 2 physical cores, a CPU quota of 3.5 cores: 2 lanes, not pinned, shared "
     "with the JS threads",
     ""},
    {"two nodes: lanes node by node",
     plainCores(0, 5) + node(0, "0,2,4") + node(1, "1,3,5"),
     {0, 1, 2, 3, 4, 5},
     5,
     true,
     {2, 4, 1, 3, 5, 0},
     "6 allowed cores of 2 NUMA nodes, no CPU quota: 5 lanes, each pinned to a core, core 0 left "
     "to the JS threads",
     ""},
    {"two nodes with siblings",
     twoNodes(),
     {0, 1, 2, 3, 4, 5, 6, 7},
     3,
     true,
     {1, 2, 3, 0, 5, 6, 7, 4},
     "8 allowed cores on 4 physical cores of 2 NUMA nodes, no CPU quota: 3 lanes, each pinned to a "
     "core that shares no units with another lane's, cores 0 and 4 left to the JS threads",
     ""},
    {"two nodes of which the mask allows one",
     twoNodes(),
     {2, 3, 6, 7},
     2,
     true,
     {2, 3, 6, 7},
     "4 allowed cores on 2 physical cores, no CPU quota: 2 lanes, each pinned to a core that "
     "shares no units with another lane's, the other siblings left to the JS threads",
     ""},
    {"a quota that cannot be understood does not limit and is told",
     plainCores(0, 1) + groupsV2("max 100000", "much"),
     {0, 1},
     2,
     true,
     {0, 1},
     "2 allowed cores, no CPU quota: 2 lanes, each pinned to a core, shared with the JS threads",
     "a/b/cpu.max: expected a CPU quota, got \"much\""},
    {"siblings that cannot be understood are none and are told",
     test::siblings({0, 1}, "0+1"),
     {0, 1},
     2,
     true,
     {0, 1},
     "2 allowed cores, no CPU quota: 2 lanes, each pinned to a core, shared with the JS threads",
     "cpu0/topology/thread_siblings_list: expected a list of cores with 0 in it, got \"0+1\""},
};

void checkRow(const Row& row) {
  const test::FakeHost host(row.files);
  const CpuBudget budget = infer::planLanes(row.allowed, host.root());
  check::equal(static_cast<std::size_t>(budget.lanes), row.lanes, "lanes");
  check::equal(budget.pin, row.pin, "pinned or not");
  check::that(budget.cores == row.cores, "the cores of the row, in its order");
  check::equal(budget.reason, std::string(row.reason), "the reason of the row");
  const std::string problem = row.problem;
  check::equal(budget.problems.size(), std::size_t{problem.empty() ? 0U : 1U}, "problems");
  check::contains(budget.problems.empty() ? "" : budget.problems.front(), problem);
}

const check::AddEach kEach(kRows, checkRow);

}  // namespace
