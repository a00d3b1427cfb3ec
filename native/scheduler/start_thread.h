// SPDX-License-Identifier: Apache-2.0
// How lanes and loaders start their threads: through a function, so that a test can let the system
// have no more of them. Threads: any.
#pragma once

#include <functional>
#include <stop_token>
#include <thread>
#include <utility>

namespace infer {

using ThreadBody = std::function<void(const std::stop_token&)>;

// Throws std::system_error when the thread cannot be started.
using StartThread = std::function<std::jthread(ThreadBody)>;

inline std::jthread startThread(ThreadBody body) {
  return std::jthread(std::move(body));
}

}  // namespace infer
