// SPDX-License-Identifier: Apache-2.0
// Parses the kernel's cgroup and mount tables.
// Threads: free functions without shared state; any.
#include "native/base/cpu_quota.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "native/base/host_file.h"

namespace infer {

namespace {

namespace fs = std::filesystem;

// Ends the tags of a mount, of which there may be any number.
constexpr std::string_view kMountTags = " - ";

enum class Version : std::uint8_t { kOne, kTwo };

// A place in /proc/self/mountinfo where control groups of one hierarchy can be seen.
struct Mount {
  Version version;
  std::string root;   // path inside the hierarchy that is visible here, "/" for all of it
  std::string point;  // where it is visible
};

bool listHas(std::string_view commaList, std::string_view word) {
  const std::vector<std::string_view> parts = split(commaList, ',');
  return std::find(parts.begin(), parts.end(), word) != parts.end();
}

// Undoes the \ooo escapes for blank, tab, newline and backslash (proc(5), /proc/pid/mountinfo).
std::string unescaped(std::string_view text) {
  std::string plain;
  while (!text.empty()) {
    unsigned value = 0;
    std::size_t taken = 1;
    if (text.front() == '\\' && text.size() >= 4 &&
        std::from_chars(text.data() + 1, text.data() + 4, value, 8).ptr == text.data() + 4) {
      taken = 4;
    } else {
      value = static_cast<unsigned char>(text.front());
    }
    plain += static_cast<char>(value);
    text.remove_prefix(taken);
  }
  return plain;
}

// One line: id parent major:minor root point options [tags...] - type source superOptions.
std::optional<Mount> mountOf(std::string_view line) {
  const std::size_t dash = line.find(kMountTags);
  if (dash == std::string_view::npos) {
    return std::nullopt;
  }
  const std::vector<std::string_view> place = split(line.substr(0, dash), ' ');
  const std::vector<std::string_view> kind = split(line.substr(dash + kMountTags.size()), ' ');
  if (place.size() < 6 || kind.size() < 2) {
    return std::nullopt;
  }
  const bool two = kind[0] == "cgroup2";
  if (!two && !(kind[0] == "cgroup" && listHas(kind.back(), "cpu"))) {
    return std::nullopt;
  }
  return Mount{two ? Version::kTwo : Version::kOne, unescaped(place[3]), unescaped(place[4])};
}

// The process's path in the hierarchy of `version`, from lines "id:controllers:path". The path may
// hold colons itself.
std::optional<std::string> pathIn(Version version, std::string_view table) {
  for (const std::string_view line : split(table, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
    if (second == std::string_view::npos) {
      continue;
    }
    const std::string_view controllers = line.substr(first + 1, second - first - 1);
    const bool two = controllers.empty() && line.substr(0, first) == "0";
    if (version == Version::kTwo ? two : listHas(controllers, "cpu")) {
      return std::string(line.substr(second + 1));
    }
  }
  return std::nullopt;
}

// What of `path` lies below the mount's root. A path outside it (seen from inside a container whose
// own group is mounted as the root) means the mount point itself is the process's group.
std::string belowRoot(const Mount& mount, const std::string& path) {
  if (mount.root == "/") {
    return path;
  }
  const bool inside = path.starts_with(mount.root) &&
                      (path.size() == mount.root.size() || path[mount.root.size()] == '/');
  return inside ? path.substr(mount.root.size()) : "";
}

// Collects what the limit files say.
class QuotaReader {
 public:
  explicit QuotaReader(CpuQuota& quota) : quota_(quota) {}

  // The group's directory, and every directory from there up to the mount point.
  void readUpwards(const Mount& mount, const fs::path& point, std::string_view below) {
    fs::path directory = point;
    read(mount.version, directory);
    for (const std::string_view name : split(below, '/')) {
      if (name == "..") {
        return;  // the group lies outside this cgroup namespace and is not visible
      }
      directory /= fs::path(name);
      read(mount.version, directory);
    }
  }

 private:
  void read(Version version, const fs::path& directory) {
    if (version == Version::kTwo) {
      readTwo(directory / "cpu.max");
    } else {
      readOne(directory / "cpu.cfs_quota_us", directory / "cpu.cfs_period_us");
    }
  }

  // "max 100000" or "150000 100000".
  void readTwo(const fs::path& file) {
    const std::optional<std::string> text = hostText(file, quota_.problem);
    if (!text) {
      return;
    }
    const std::vector<std::string_view> words = split(*text, ' ');
    if (words.size() != 2) {
      return notUnderstood(file, *text);
    }
    if (words[0] == "max" && integerOf(words[1])) {
      return;
    }
    addQuota(integerOf(words[0]), integerOf(words[1]), file, *text);
  }

  // A quota of -1 is none.
  void readOne(const fs::path& quotaFile, const fs::path& periodFile) {
    const std::optional<std::string> quota = hostText(quotaFile, quota_.problem);
    if (!quota || *quota == "-1") {
      return;
    }
    const std::string period = hostText(periodFile, quota_.problem).value_or("");
    addQuota(integerOf(*quota), integerOf(period), quotaFile, *quota + "\" over \"" + period);
  }

  void addQuota(std::optional<std::int64_t> quotaUs, std::optional<std::int64_t> periodUs,
                const fs::path& file, const std::string& text) {
    if (!quotaUs || !periodUs || *quotaUs <= 0 || *periodUs <= 0) {
      return notUnderstood(file, text);
    }
    const double cores = static_cast<double>(*quotaUs) / static_cast<double>(*periodUs);
    quota_.cores = std::min(quota_.cores, cores);
  }

  void notUnderstood(const fs::path& file, const std::string& text) {
    addProblem(quota_.problem, file, "a CPU quota", text);
  }

  CpuQuota& quota_;
};

}  // namespace

CpuQuota readCpuQuota(const fs::path& root) {
  CpuQuota quota;
  const fs::path groupFile = root / "proc/self/cgroup";
  const fs::path mountFile = root / "proc/self/mountinfo";
  const std::string groups = hostText(groupFile, quota.problem).value_or("");
  const std::string mounts = hostText(mountFile, quota.problem).value_or("");
  for (const std::string_view line : split(groups, '\n')) {
    if (std::ranges::count(line, ':') < 2) {
      addProblem(quota.problem, groupFile, "lines of id:controllers:path", line);
    }
  }
  for (const std::string_view line : split(mounts, '\n')) {
    if (line.find(kMountTags) == std::string_view::npos) {
      addProblem(quota.problem, mountFile, "lines of mounts", line);
    }
    const std::optional<Mount> mount = mountOf(line);
    const std::optional<std::string> path = mount ? pathIn(mount->version, groups) : std::nullopt;
    if (path) {
      const fs::path point = root / fs::path(mount->point).relative_path();
      QuotaReader(quota).readUpwards(*mount, point, belowRoot(*mount, *path));
    }
  }
  return quota;
}

}  // namespace infer
