// SPDX-License-Identifier: Apache-2.0
// A limit on what a process that is about to exit still waits for.
// Threads: js; a thread of its own watches it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <stop_token>
#include <system_error>
#include <thread>

namespace infer::addon {

// Lives on the stack of its creator. While it exists longer than `limit`, the process ends with
// `code`, without destructors and exit handlers: they would take apart what still runs.
class ExitLimit {
 public:
  ExitLimit(std::chrono::milliseconds limit, int code) {
    try {
      watch_ = std::jthread([limit, code](const std::stop_token& ended) {
        std::mutex mutex;
        std::condition_variable_any never;
        std::unique_lock lock(mutex);
        if (!never.wait_for(lock, ended, limit, [&ended] { return ended.stop_requested(); })) {
          std::_Exit(code);
        }
      });
    } catch (const std::system_error&) {  // NOLINT(bugprone-empty-catch)
      // No thread is to be had: then the process waits as long as it takes.
    }
  }

 private:
  std::jthread watch_;
};

}  // namespace infer::addon
