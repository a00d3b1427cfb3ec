// SPDX-License-Identifier: Apache-2.0
// Parses the kernel's cgroup and mount tables, and turns cores and quota into a number of lanes.
// Threads: free functions without shared state; any.
#include "native/base/cpu_budget.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ios>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace infer {

namespace {

namespace fs = std::filesystem;

enum class Version : std::uint8_t { kOne, kTwo };

// A place in /proc/self/mountinfo where control groups of one hierarchy can be seen.
struct Mount {
  Version version;
  std::string root;   // path inside the hierarchy that is visible here, "/" for all of it
  std::string point;  // where it is visible
};

// The text of a file, or nothing when it cannot be read.
std::optional<std::string> textOf(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in.is_open() || in.bad()) {
    return std::nullopt;
  }
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    if (end > 0) {
      parts.push_back(text.substr(0, end));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

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
  const std::size_t dash = line.find(" - ");
  if (dash == std::string_view::npos) {
    return std::nullopt;
  }
  const std::vector<std::string_view> place = split(line.substr(0, dash), ' ');
  const std::vector<std::string_view> kind = split(line.substr(dash + 3), ' ');
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

std::optional<std::int64_t> integerOf(std::string_view text) {
  std::int64_t value = 0;
  const std::from_chars_result end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end.ec != std::errc() || end.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

// Collects what the limit files say.
class QuotaReader {
 public:
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

  CpuQuota take() && { return std::move(quota_); }

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
    const std::optional<std::string> text = contentOf(file);
    if (!text) {
      return;
    }
    const std::vector<std::string_view> words = split(*text, ' ');
    if (words.size() != 2) {
      return addProblem(file, *text);
    }
    if (words[0] == "max" && integerOf(words[1])) {
      return;
    }
    addQuota(integerOf(words[0]), integerOf(words[1]), file, *text);
  }

  // A quota of -1 is none.
  void readOne(const fs::path& quotaFile, const fs::path& periodFile) {
    const std::optional<std::string> quota = contentOf(quotaFile);
    if (!quota || *quota == "-1") {
      return;
    }
    const std::string period = contentOf(periodFile).value_or("");
    addQuota(integerOf(*quota), integerOf(period), quotaFile, *quota + "\" over \"" + period);
  }

  void addQuota(std::optional<std::int64_t> quotaUs, std::optional<std::int64_t> periodUs,
                const fs::path& file, const std::string& text) {
    if (!quotaUs || !periodUs || *quotaUs <= 0 || *periodUs <= 0) {
      return addProblem(file, text);
    }
    const double cores = static_cast<double>(*quotaUs) / static_cast<double>(*periodUs);
    quota_.cores = std::min(quota_.cores, cores);
  }

  // Nothing for a file that is not there; its text without the line end for one that is.
  std::optional<std::string> contentOf(const fs::path& file) {
    std::error_code failure;
    if (!fs::exists(file, failure) && !failure) {
      return std::nullopt;
    }
    std::optional<std::string> text = textOf(file);
    if (!text) {
      addProblem(file, "");
      return std::nullopt;
    }
    while (!text->empty() && text->back() == '\n') {
      text->pop_back();
    }
    return text;
  }

  void addProblem(const fs::path& file, const std::string& text) {
    if (quota_.problem.empty()) {
      quota_.problem = file.string() + " is not a CPU quota: \"" + text.substr(0, 60) + "\"";
    }
  }

  CpuQuota quota_;
};

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

CpuQuota readCpuQuota(const fs::path& root) {
  const std::optional<std::string> groups = textOf(root / "proc/self/cgroup");
  const std::optional<std::string> mounts = textOf(root / "proc/self/mountinfo");
  QuotaReader reader;
  if (groups && mounts) {
    for (const std::string_view line : split(*mounts, '\n')) {
      const std::optional<Mount> mount = mountOf(line);
      const std::optional<std::string> path =
          mount ? pathIn(mount->version, *groups) : std::nullopt;
      if (path) {
        const fs::path point = root / fs::path(mount->point).relative_path();
        reader.readUpwards(*mount, point, belowRoot(*mount, *path));
      }
    }
  }
  return std::move(reader).take();
}

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
