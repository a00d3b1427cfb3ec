// SPDX-License-Identifier: Apache-2.0
// Making lanes and choosing among them.
#include "native/scheduler/lane_pool.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "native/base/clock.h"
#include "native/base/cpu_budget.h"
#include "native/base/error.h"
#include "native/scheduler/lane.h"
#include "native/scheduler/placement.h"
#include "native/scheduler/start_thread.h"

namespace infer {

LanePool::LanePool(std::vector<int> allowed, CpuBudget budget, const Clock& clock,
                   StartThread start)
    : allowed_(std::move(allowed)),
      budget_(std::move(budget)),
      clock_(clock),
      start_(std::move(start)) {
  for (int i = 0; i < budget_.lanes; ++i) {
    const std::optional<int> core =
        budget_.pin ? std::optional(budget_.cores[static_cast<std::size_t>(i)]) : std::nullopt;
    slots_.push_back(std::make_unique<Slot>(Slot{core, nullptr}));
  }
}

LanePool::~LanePool() {
  for (const auto& slot : slots_) {
    if (slot->lane) {
      slot->lane->stop();
    }
  }
  for (const auto& slot : slots_) {
    if (slot->lane) {
      slot->lane->join();
    }
  }
}

std::size_t LanePool::most() const {
  return std::max<std::size_t>(allowed_.size(), 1);
}

Result<std::vector<Lane*>> LanePool::choose(const Placement& placement,
                                            const std::vector<Lane*>& current) {
  const std::lock_guard lock(mutex_);
  if (!placement.cores.empty()) {
    return onCores(placement.cores);
  }
  const std::size_t wanted =
      placement.lanes == 0 ? static_cast<std::size_t>(budget_.lanes) : placement.lanes;
  if (wanted > most()) {
    return Error{ErrorCode::kBadInput,
                 "placement.lanes: expected at most the " + std::to_string(allowed_.size()) +
                     " cores this process may use, got " + std::to_string(wanted),
                 {}};
  }
  for (const int core : budget_.cores) {
    const auto isCore = [core](const auto& slot) { return slot->core == core; };
    if (slots_.size() < wanted && std::ranges::none_of(slots_, isCore)) {
      slots_.push_back(
          std::make_unique<Slot>(Slot{budget_.pin ? std::optional(core) : std::nullopt, nullptr}));
    }
  }
  std::vector<Lane*> lanes;
  for (Slot* slot : leastLoaded(wanted, current)) {
    lanes.push_back(laneOf(*slot));
  }
  return lanes;
}

Result<std::vector<Lane*>> LanePool::onCores(const std::vector<int>& cores) {
  std::vector<Lane*> lanes;
  for (const int core : cores) {
    if (std::ranges::find(allowed_, core) == allowed_.end()) {
      std::string known;
      for (const int id : allowed_) {
        known += (known.empty() ? "" : ", ") + std::to_string(id);
      }
      return Error{ErrorCode::kBadInput,
                   "placement.cores: core " + std::to_string(core) +
                       " is not one this process may use; it may use " + known,
                   {}};
    }
    const auto isCore = [core](const auto& slot) { return slot->core == core; };
    auto at = std::ranges::find_if(slots_, isCore);
    if (at == slots_.end()) {
      slots_.push_back(std::make_unique<Slot>(Slot{core, nullptr}));
      at = std::prev(slots_.end());
    }
    Lane* const lane = laneOf(**at);
    if (std::ranges::find(lanes, lane) == lanes.end()) {
      lanes.push_back(lane);
    }
  }
  return lanes;
}

Lane* LanePool::laneOf(Slot& slot) {
  if (!slot.lane) {
    slot.lane = std::make_unique<Lane>(slot.core, clock_, start_);
  }
  return slot.lane.get();
}

std::vector<LanePool::Slot*> LanePool::leastLoaded(std::size_t wanted,
                                                   const std::vector<Lane*>& current) {
  const auto nodeOf = [this](const Slot& slot) {
    return slot.core ? budget_.topology.nodeOf(*slot.core) : 0;
  };
  const auto isCurrent = [&current](const Slot& slot) {
    return slot.lane && std::ranges::find(current, slot.lane.get()) != current.end();
  };
  std::vector<Slot*> chosen;
  const auto choose = [&](const auto& suits) {
    std::vector<Slot*> slots;
    std::vector<LaneLoad> loads;
    for (const auto& slot : slots_) {
      if (suits(*slot) && std::ranges::find(chosen, slot.get()) == chosen.end()) {
        slots.push_back(slot.get());
        loads.push_back(
            {.node = nodeOf(*slot), .models = slot->lane ? slot->lane->modelCount() : 0});
      }
    }
    for (const std::size_t at : chooseLanes(loads, wanted - chosen.size())) {
      chosen.push_back(slots[at]);
    }
  };
  choose(isCurrent);
  // The default lanes come first in slots_; lanes of explicitly asked cores only when those are not
  // enough. The weights are on the nodes that the model is on.
  const std::size_t candidates = std::max(wanted, static_cast<std::size_t>(budget_.lanes));
  const std::span usual(slots_.data(), std::min(candidates, slots_.size()));
  const auto isUsual = [&usual](const Slot& slot) {
    return std::ranges::any_of(usual, [&slot](const auto& one) { return one.get() == &slot; });
  };
  choose([&](const Slot& slot) {
    return isUsual(slot) && std::ranges::any_of(slots_, [&](const auto& other) {
             return isCurrent(*other) && nodeOf(*other) == nodeOf(slot);
           });
  });
  choose(isUsual);
  return chosen;
}

}  // namespace infer
