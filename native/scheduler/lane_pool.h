// SPDX-License-Identifier: Apache-2.0
// The lanes of the process, each made when it is first used, and which of them a model gets.
// Threads: any; one mutex.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "native/base/clock.h"
#include "native/base/cpu_budget.h"
#include "native/base/error.h"
#include "native/scheduler/lane.h"
#include "native/scheduler/start_thread.h"
#include "native/scheduler/watchdog.h"

namespace infer {

struct Placement {
  std::size_t lanes = 0;   // 0: every default lane
  std::vector<int> cores;  // not empty: a lane on each of these, and `lanes` is ignored
};

class LanePool {
 public:
  // `allowed`: every core this process may use; `budget`: the default lanes among them.
  LanePool(std::vector<int> allowed, CpuBudget budget, const Clock& clock, ThreadRules rules);
  // Stops runs in flight where the engine can and joins the lanes. A run that does not end in time
  // keeps its thread and its model.
  ~LanePool();
  LanePool(const LanePool&) = delete;
  LanePool& operator=(const LanePool&) = delete;

  // The lanes for a model that is on `current` now: those it keeps, then those with the fewest
  // models. Throws std::system_error when a lane cannot be started.
  Result<std::vector<Lane*>> choose(const Placement& placement,
                                    const std::vector<Lane*>& current = {});

  // That a model can be placed on.
  std::size_t most() const;
  const CpuBudget& budget() const { return budget_; }

 private:
  struct Slot {
    std::optional<int> core;
    std::unique_ptr<Lane> lane;  // made when first used
  };

  // Lanes whose run should have ended go on with new threads. Returns when to look again. thread:
  // the watchdog's.
  TimeNs replaceHung();
  bool replace(Lane& lane, TimeNs by);
  std::vector<Lane*> lanes();
  // Called with mutex_ held.
  Result<std::vector<Lane*>> onCores(const std::vector<int>& cores);
  Lane* laneOf(Slot& slot);
  std::vector<Slot*> leastLoaded(std::size_t wanted, const std::vector<Lane*>& current);

  const std::vector<int> allowed_;
  const CpuBudget budget_;
  const Clock& clock_;
  const ThreadRules rules_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Slot>> slots_;  // guarded by mutex_; lanes live as long as this
  Watchdog watchdog_;                         // last: it uses the lanes
};

}  // namespace infer
