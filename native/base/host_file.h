// SPDX-License-Identifier: Apache-2.0
// Reads the small text files in which Linux describes a host (/proc, /sys) and takes them apart.
// Threads: free functions without shared state; any.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace infer {

// The text of a file without line ends at its end; nothing when it is not there or cannot be read.
// `problem`, where it is empty still, names a file that is there but cannot be read.
std::optional<std::string> hostText(const std::filesystem::path& file, std::string& problem);

// The parts between separators that are not empty.
std::vector<std::string_view> split(std::string_view text, char separator);

// The whole text as one decimal number.
std::optional<std::int64_t> integerOf(std::string_view text);

// "0-3,8,10-11" as ascending ids; an empty text is an empty list.
// @source cpuset(7), "List format".
std::optional<std::vector<int>> coreListOf(std::string_view text);

// Sets `problem` unless an earlier one is there: what was expected in which file, and what came.
void addProblem(std::string& problem, const std::filesystem::path& file, std::string_view expected,
                std::string_view text);

}  // namespace infer
