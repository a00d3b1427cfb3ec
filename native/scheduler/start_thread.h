// SPDX-License-Identifier: Apache-2.0
// How lanes and loaders start their threads: through a function, so that a test can let the system
// have no more of them, and when a thread is given up. Threads: any.
#pragma once

#include <functional>
#include <stop_token>
#include <thread>
#include <utility>

#include "native/base/clock.h"

namespace infer {

using ThreadBody = std::function<void(const std::stop_token&)>;

// Throws std::system_error when the thread cannot be started.
using StartThread = std::function<std::jthread(ThreadBody)>;

inline std::jthread startThread(ThreadBody body) {
  return std::jthread(std::move(body));
}

// A run that was told to stop ends at the next node of its graph, mostly within milliseconds.
inline constexpr TimeNs kHungAfter = TimeNs{2} * 1'000'000'000;

struct ThreadRules {
  StartThread start = startThread;
  // From when a run is told to stop until its thread is given up.
  TimeNs hungAfter = kHungAfter;
};

}  // namespace infer
