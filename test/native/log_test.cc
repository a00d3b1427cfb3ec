// SPDX-License-Identifier: Apache-2.0
// Log lines to every listener, and to the first one what came before it.
#include "native/base/log.h"

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "test/native/check.h"

namespace {

using infer::Log;
using infer::LogLevel;
using infer::LogLine;

class Listener final : public infer::LogListener {
 public:
  void log(const LogLine& line) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(line);
  }
  std::vector<LogLine> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<LogLine> lines_;  // guarded by mutex_
};

const check::Add kWhole("a line arrives with its level, engine and message", [] {
  Log log;
  const auto listener = std::make_shared<Listener>();
  log.add(listener);
  log.write({LogLevel::kWarn, "onnxruntime", "careful"});
  const auto lines = listener->lines();
  check::equal(lines.size(), std::size_t{1}, "lines");
  check::equal(lines[0].level, LogLevel::kWarn, "the level");
  check::equal(lines[0].engine, "onnxruntime", "the engine");
  check::equal(lines[0].message, "careful", "the message");
});

const check::Add kEvery("every listener gets every line", [] {
  Log log;
  const auto first = std::make_shared<Listener>();
  const auto second = std::make_shared<Listener>();
  log.add(first);
  log.add(second);
  log.write({});
  check::equal(first->lines().size(), std::size_t{1}, "lines of the first");
  check::equal(second->lines().size(), std::size_t{1}, "lines of the second");
});

const check::Add kBefore("the first listener gets the last 64 lines from before it", [] {
  Log log;
  for (int i = 1; i <= 100; ++i) {
    log.write({LogLevel::kInfo, "test", std::to_string(i)});
  }
  const auto first = std::make_shared<Listener>();
  const auto second = std::make_shared<Listener>();
  log.add(first);
  log.add(second);
  const auto lines = first->lines();
  check::equal(lines.size(), std::size_t{64}, "lines");
  check::equal(lines.front().message, "37", "the oldest");
  check::equal(lines.back().message, "100", "the newest");
  check::that(second->lines().empty(), "nothing for the second");
});

const check::Add kGone("lines are kept again once every listener is gone", [] {
  Log log;
  log.add(std::make_shared<Listener>());
  log.write({LogLevel::kInfo, "test", "kept"});
  const auto next = std::make_shared<Listener>();
  log.add(next);
  check::equal(next->lines().size(), std::size_t{1}, "lines");
});

const check::Add kThreads("lines of several threads all arrive", [] {
  Log log;
  const auto listener = std::make_shared<Listener>();
  log.add(listener);
  {
    std::vector<std::jthread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&log] {
        for (int n = 0; n < 500; ++n) {
          log.write({});
          log.add(std::make_shared<Listener>());
        }
      });
    }
  }
  check::equal(listener->lines().size(), std::size_t{2000}, "lines");
});

}  // namespace
