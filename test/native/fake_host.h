// SPDX-License-Identifier: Apache-2.0
// A host's /proc and /sys in a folder of the test's own, written file by file.
// Threads: one case.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "test/native/temp_folder.h"

namespace test {

// Each a path below the root and a text.
struct HostFiles : std::vector<std::pair<std::string, std::string>> {
  using vector::vector;
  friend HostFiles operator+(HostFiles files, const HostFiles& more) {
    files.insert(files.end(), more.begin(), more.end());
    return files;
  }
};

class FakeHost {
 public:
  explicit FakeHost(const HostFiles& files) {
    for (const auto& [path, text] : files) {
      const std::filesystem::path file = folder_.path() / path;
      std::filesystem::create_directories(file.parent_path());
      std::ofstream(file) << text << '\n';
    }
  }

  const std::filesystem::path& root() const { return folder_.path(); }

 private:
  const TempFolder folder_;
};

// What the kernel says of a core that shares its units with `list`, itself included.
inline HostFiles siblings(const std::vector<int>& cores, const std::string& list) {
  HostFiles files;
  for (const int core : cores) {
    files.emplace_back(
        "sys/devices/system/cpu/cpu" + std::to_string(core) + "/topology/thread_siblings_list",
        list);
  }
  return files;
}

// Cores from `first` to `last`, each with units of its own.
inline HostFiles plainCores(int first, int last) {
  HostFiles files;
  for (int core = first; core <= last; ++core) {
    files = files + siblings({core}, std::to_string(core));
  }
  return files;
}

// `count` physical cores of two siblings, numbered as most x86 hosts do: i and i + count.
inline HostFiles pairedCores(int count) {
  HostFiles files;
  for (int core = 0; core < count; ++core) {
    const std::vector<int> both = {core, core + count};
    files = files + siblings(both, std::to_string(both[0]) + "," + std::to_string(both[1]));
  }
  return files;
}

inline HostFiles node(int id, const std::string& list) {
  return {{"sys/devices/system/node/node" + std::to_string(id) + "/cpulist", list}};
}

}  // namespace test
