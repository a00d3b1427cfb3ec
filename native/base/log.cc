// SPDX-License-Identifier: Apache-2.0
// Engine log lines, fanned out to the JS environments.
#include "native/base/log.h"

#include <deque>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace infer {

Log& Log::process() {
  // Never destroyed: an engine's own threads may log while the process exits.
  static Log& log = *std::make_unique<Log>().release();
  return log;
}

void Log::write(LogLine line) {
  std::vector<std::shared_ptr<LogListener>> listeners;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(listeners_, [](const auto& weak) { return weak.expired(); });
    for (const auto& weak : listeners_) {
      if (auto listener = weak.lock()) {
        listeners.push_back(std::move(listener));
      }
    }
    if (listeners.empty()) {
      remembered_.push_back(std::move(line));
      if (remembered_.size() > kRemembered) {
        remembered_.pop_front();
      }
      return;
    }
  }
  for (const auto& listener : listeners) {
    listener->log(line);
  }
}

void Log::add(const std::shared_ptr<LogListener>& listener) {
  std::deque<LogLine> missed;
  {
    const std::lock_guard lock(mutex_);
    listeners_.push_back(listener);
    missed.swap(remembered_);
  }
  for (const LogLine& line : missed) {
    listener->log(line);
  }
}

}  // namespace infer
