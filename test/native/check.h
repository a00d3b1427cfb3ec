// SPDX-License-Identifier: Apache-2.0
// The whole native test harness: named cases, checks that say where they failed, one TAP line a
// case. Ours because the tests must build on a machine with nothing but a compiler and CMake.
// Threads: cases run one after the other on the main thread; checks may be made on any.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <mutex>
#include <source_location>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace check {

// Only ends a hung test; no case needs more than a fraction of it.
inline constexpr std::chrono::seconds kCaseLimit{100};

struct Case {
  std::string name;
  std::function<void()> body;
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

inline std::atomic<int>& failures() {
  static std::atomic<int> count{0};
  return count;
}

inline std::string& skipReason() {
  static std::string reason;
  return reason;
}

// Registers a case; write `const check::Add name("the behaviour", [] { ... });` at namespace scope.
struct Add {
  Add(std::string name, std::function<void()> body) {
    cases().push_back({std::move(name), std::move(body)});
  }
};

// Registers a case for each row of a table that lives as long as the program; a row has a `name`.
struct AddEach {
  template <typename Rows, typename Body>
  AddEach(const Rows& rows, Body body) {
    for (const auto& row : rows) {
      cases().push_back({std::string(row.name), [&row, body] { body(row); }});
    }
  }
};

// Reports the case as skipped; `reason` says what this machine lacks. The body returns after it.
inline void skip(std::string reason) {
  skipReason() = std::move(reason);
}

// Records a failure unless `condition` holds; `what` says the expectation.
inline bool that(bool condition, const std::string& what,
                 std::source_location at = std::source_location::current()) {
  if (!condition) {
    ++failures();
    std::printf("# %s:%u: expected %s\n", at.file_name(), at.line(), what.c_str());
  }
  return condition;
}

// "" for what has no text.
template <typename T>
std::string show(const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return '"' + std::string(std::string_view(value)) + '"';
  } else if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<long long>(value));
  } else if constexpr (std::is_arithmetic_v<T>) {
    return std::to_string(value);
  } else {
    return "";
  }
}

template <typename A, typename B>
bool equal(const A& actual, const B& expected, const std::string& what,
           std::source_location at = std::source_location::current()) {
  const std::string got = show(actual);
  const std::string wanted = show(expected);
  return that(actual == expected,
              what + (wanted.empty() ? "" : ": " + wanted) + (got.empty() ? "" : ", got " + got),
              at);
}

// `part` occurs in `text`.
inline bool contains(const std::string& text, std::string_view part,
                     std::source_location at = std::source_location::current()) {
  return that(text.find(part) != std::string::npos, '"' + std::string(part) + "\" in: " + text, at);
}

// A Result that holds a value.
template <typename R>
bool succeeded(const R& result, const std::string& what,
               std::source_location at = std::source_location::current()) {
  return that(result.ok(), what + (result.ok() ? "" : ", got: " + result.error().message), at);
}

// A Result that holds an error with this code and this part of a message.
template <typename R, typename Code>
bool failed(const R& result, Code code, std::string_view part,
            std::source_location at = std::source_location::current()) {
  return that(!result.ok(), "an error, got a value", at) &&
         check::equal(result.error().code, code, "the error code", at) &&
         contains(result.error().message, part, at);
}

// While one lives, a case that takes too long ends the program and is named.
class Watchdog {
 public:
  explicit Watchdog(const std::string& name)
      : thread_([&name, this](const std::stop_token& stop) {
          std::unique_lock lock(mutex_);
          wake_.wait_for(lock, stop, kCaseLimit, [] { return false; });
          if (!stop.stop_requested()) {
            std::printf("# it hangs\nnot ok - %s\n", name.c_str());
            std::fflush(stdout);
            std::_Exit(100);
          }
        }) {}

 private:
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it uses the rest
};

// Runs one case; false when it failed.
inline bool run(const Case& test, int number) {
  const int before = failures();
  skipReason().clear();
  try {
    const Watchdog watchdog(test.name);
    test.body();
  } catch (const std::exception& error) {
    that(false, std::string("no exception, got: ") + error.what());
  }
  const bool ok = failures() == before;
  const std::string skipped = ok && !skipReason().empty() ? " # SKIP " + skipReason() : "";
  std::printf("%s %d - %s%s\n", ok ? "ok" : "not ok", number, test.name.c_str(), skipped.c_str());
  std::fflush(stdout);  // what passed before a crash is reported too
  return ok;
}

// Runs every registered case; the exit status is the number of failed cases (at most 100).
inline int runAll() {
  int failed = 0;
  int number = 0;
  for (const Case& test : cases()) {
    failed += run(test, ++number) ? 0 : 1;
  }
  std::printf("1..%d\n", number);
  return cases().empty() || failed > 100 ? 100 : failed;
}

}  // namespace check

int main() {
  return check::runAll();
}
