// SPDX-License-Identifier: Apache-2.0
// Quotas read from small copies of hosts' /proc and /sys.
#include "native/base/cpu_quota.h"

#include <filesystem>
#include <limits>
#include <string>
#include <string_view>

#include "test/native/check.h"

namespace {

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
    {"a table of groups that is none does not limit and is named", "groups-malformed", kNone,
     "proc/self/cgroup"},
    {"a table of mounts that is none does not limit and is named", "mounts-malformed", kNone,
     "proc/self/mountinfo"},
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

const check::AddEach kEachHost(kHosts, checkHost);

const check::Add kThisHost("this host's own files can be understood", [] {
  const CpuQuota quota = infer::readCpuQuota();
  check::that(quota.cores > 0, "a quota above zero");
  check::equal(quota.problem, std::string(), "no problem, got: " + quota.problem);
});

}  // namespace
