// SPDX-License-Identifier: Apache-2.0
// Just enough JSON to read the expected numbers of the fixtures.
// Threads: values; any.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace test {

struct Json {
  enum class Kind : unsigned char { kNull, kBool, kNumber, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  double number = 0;  // 0 or 1 for a boolean
  std::string text = {};
  std::vector<Json> items = {};
  std::vector<std::pair<std::string, Json>> members = {};

  // The member of that name, or null.
  const Json* find(std::string_view name) const;
  // The same for one that must be there: throws std::out_of_range.
  const Json& at(std::string_view name) const;
};

// Throws std::runtime_error, which says where, for anything that is not JSON.
Json parseJson(std::string_view text);

}  // namespace test
