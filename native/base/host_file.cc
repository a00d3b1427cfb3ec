// SPDX-License-Identifier: Apache-2.0
// Files, words and numbers of /proc and /sys.
#include "native/base/host_file.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ios>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace infer {

namespace {

// No kernel numbers more cores (affinity.cc); keeps a damaged range from filling the memory.
constexpr std::int64_t kMostCores = 65536;

// A file quoted in a log line is cut to this.
constexpr std::size_t kShown = 60;

}  // namespace

std::optional<std::string> hostText(const std::filesystem::path& file, std::string& problem) {
  std::error_code failure;
  if (!std::filesystem::exists(file, failure) && !failure) {
    return std::nullopt;
  }
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in.is_open() || in.bad()) {
    addProblem(problem, file, "a file that can be read", "");
    return std::nullopt;
  }
  text.erase(text.find_last_not_of('\n') + 1);
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

std::optional<std::int64_t> integerOf(std::string_view text) {
  std::int64_t value = 0;
  const std::from_chars_result end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end.ec != std::errc() || end.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::optional<std::vector<int>> coreListOf(std::string_view text) {
  std::vector<int> cores;
  for (const std::string_view range : split(text, ',')) {
    const std::size_t dash = std::min(range.find('-', 1), range.size());
    const auto first = integerOf(range.substr(0, dash));
    const auto last = dash < range.size() ? integerOf(range.substr(dash + 1)) : first;
    if (!first || !last || *first < 0 || *last < *first || *last >= kMostCores) {
      return std::nullopt;
    }
    for (std::int64_t core = *first; core <= *last; ++core) {
      cores.push_back(static_cast<int>(core));
    }
  }
  std::ranges::sort(cores);
  const auto repeated = std::ranges::unique(cores);
  cores.erase(repeated.begin(), repeated.end());
  return cores;
}

void addProblem(std::string& problem, const std::filesystem::path& file, std::string_view expected,
                std::string_view text) {
  if (problem.empty()) {
    problem = file.string() + ": expected " + std::string(expected) + ", got \"" +
              std::string(text.substr(0, kShown)) + '"';
  }
}

}  // namespace infer
