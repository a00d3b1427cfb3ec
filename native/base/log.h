// SPDX-License-Identifier: Apache-2.0
// Where log lines of the engines go: to every listener, or into a short memory until there is one.
// Threads: any; engines call it from threads of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace infer {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError };

struct LogLine {
  LogLevel level = LogLevel::kInfo;
  std::string engine;
  std::string message;
};

class LogListener {
 public:
  virtual ~LogListener() = default;
  // thread: any. Must only store the line; it may be called from inside an engine.
  virtual void log(const LogLine& line) = 0;
};

// One per process. Listeners belong to JS environments and are held weakly.
class Log {
 public:
  static Log& process();

  void write(LogLine line);
  // The listener first gets what was written while nobody listened (the last kRemembered lines).
  void add(const std::shared_ptr<LogListener>& listener);

 private:
  static constexpr std::size_t kRemembered = 64;
  std::mutex mutex_;
  std::vector<std::weak_ptr<LogListener>> listeners_;
  std::deque<LogLine> remembered_;
};

}  // namespace infer
