// SPDX-License-Identifier: Apache-2.0
// The whole native test harness: named cases, checks that say where they failed, one TAP-like line
// a case. Ours because the tests must build on a machine with nothing but a compiler and CMake.
#pragma once

#include <cstdio>
#include <exception>
#include <functional>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

namespace check {

struct Case {
  std::string name;
  std::function<void()> body;
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

inline int& failures() {
  static int count = 0;
  return count;
}

// Registers a case; write `const check::Add name("the behaviour", [] { ... });` at namespace scope.
struct Add {
  Add(std::string name, std::function<void()> body) {
    cases().push_back({std::move(name), std::move(body)});
  }
};

// Records a failure unless `condition` holds; `what` says the expectation.
inline bool that(bool condition, const std::string& what,
                 std::source_location at = std::source_location::current()) {
  if (!condition) {
    ++failures();
    std::printf("# %s:%u: expected %s\n", at.file_name(), at.line(), what.c_str());
  }
  return condition;
}

template <typename A, typename B>
bool equal(const A& actual, const B& expected, const std::string& what,
           std::source_location at = std::source_location::current()) {
  return that(actual == expected, what, at);
}

// Runs every registered case; the exit status is the number of failed cases (at most 100).
inline int runAll() {
  int failed = 0;
  int number = 0;
  for (const Case& test : cases()) {
    const int before = failures();
    try {
      test.body();
    } catch (const std::exception& error) {
      that(false, std::string("no exception, got: ") + error.what());
    }
    const bool ok = failures() == before;
    failed += ok ? 0 : 1;
    std::printf("%s %d - %s\n", ok ? "ok" : "not ok", ++number, test.name.c_str());
  }
  std::printf("1..%d\n", number);
  return cases().empty() || failed > 100 ? 100 : failed;
}

}  // namespace check

int main() {
  return check::runAll();
}
