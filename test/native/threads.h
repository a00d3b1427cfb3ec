// SPDX-License-Identifier: Apache-2.0
// A system that has only so many threads left. Threads: any.
#pragma once

#include <atomic>
#include <system_error>
#include <utility>

#include "native/scheduler/start_thread.h"

namespace test {

class Threads {
 public:
  explicit Threads(int left) : left_(left) {}

  void allow(int left) { left_ = left; }
  // Borrows this.
  infer::StartThread starter() {
    return [this](infer::ThreadBody body) {
      if (left_.fetch_sub(1) <= 0) {
        throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
      }
      return infer::startThread(std::move(body));
    };
  }

 private:
  std::atomic<int> left_;
};

}  // namespace test
