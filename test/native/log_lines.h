// SPDX-License-Identifier: Apache-2.0
// Everything that is logged in the process while somebody holds it.
// Threads: any; one mutex.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "native/base/log.h"

namespace test {

class LogLines final : public infer::LogListener {
 public:
  static std::shared_ptr<LogLines> listen() {
    auto lines = std::make_shared<LogLines>();
    infer::Log::process().add(lines);
    return lines;
  }

  void log(const infer::LogLine& line) override {
    const std::lock_guard lock(mutex_);
    text_ += line.engine + ": " + line.message + '\n';
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  mutable std::mutex mutex_;
  std::string text_;  // guarded by mutex_
};

}  // namespace test
