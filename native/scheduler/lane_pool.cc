// SPDX-License-Identifier: Apache-2.0
// Making lanes and choosing among them.
#include "native/scheduler/lane_pool.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "native/base/clock.h"
#include "native/base/cpu_budget.h"
#include "native/base/error.h"
#include "native/base/log.h"
#include "native/scheduler/lane.h"
#include "native/scheduler/placement.h"
#include "native/scheduler/served_model.h"
#include "native/scheduler/start_thread.h"

namespace infer {

namespace {

// Each keeps its memory and takes its share of the core; more of them would only take more.
constexpr std::size_t kMostLost = 4;

void report(ServedModel& model, const Lane& lane, TimeNs after) {
  constexpr TimeNs kMillisecond = 1'000'000;
  const auto core = lane.core();
  Log::process().write(
      {LogLevel::kError, "scheduler",
       model.origin.path + ": a run went on for " + std::to_string(after / kMillisecond) +
           " ms after it was told to stop; its thread is left to it, and the lane" +
           (core ? " of core " + std::to_string(*core) : "") +
           " goes on with a new one where one is to be had"});
  model.metrics.hung();
}

}  // namespace

LanePool::LanePool(std::vector<int> allowed, CpuBudget budget, const Clock& clock,
                   ThreadRules rules)
    : allowed_(std::move(allowed)),
      budget_(std::move(budget)),
      clock_(clock),
      rules_(std::move(rules)),
      watchdog_(clock, rules_.start, [this] { return replaceHung(); }) {
  for (int i = 0; i < budget_.lanes; ++i) {
    const std::optional<int> core =
        budget_.pin ? std::optional(budget_.cores[static_cast<std::size_t>(i)]) : std::nullopt;
    slots_.push_back(std::make_unique<Slot>(Slot{core, nullptr}));
  }
}

LanePool::~LanePool() {
  watchdog_.stop();
  const auto all = lanes();
  for (Lane* lane : all) {
    lane->stop();
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(rules_.hungAfter);
  for (Lane* lane : all) {
    const std::chrono::nanoseconds left = end - std::chrono::steady_clock::now();
    lane->join(std::max(left, std::chrono::nanoseconds::zero()));
  }
}

TimeNs LanePool::replaceHung() {
  const TimeNs now = clock_.now();
  TimeNs next = kNever;
  for (Lane* lane : lanes()) {
    const TimeNs told = lane->toldAt();
    if (told == kNever) {
      continue;
    }
    if (now < told + rules_.hungAfter) {
      next = std::min(next, told + rules_.hungAfter);
    } else {
      if (const auto model = lane->overdue(now - rules_.hungAfter)) {
        report(*model, *lane, rules_.hungAfter);
      }
      if (!replace(*lane, now - rules_.hungAfter)) {
        next = std::min(next, now + rules_.hungAfter);
      }
    }
  }
  return next;
}

// False when it has to be tried again.
bool LanePool::replace(Lane& lane, TimeNs by) {
  if (lane.lostThreads() >= kMostLost) {
    return false;
  }
  try {
    lane.replaceThread(by);
    return true;
  } catch (const std::system_error&) {  // no thread is to be had
    return false;
  }
}

std::vector<Lane*> LanePool::lanes() {
  std::vector<Lane*> all;
  const std::lock_guard lock(mutex_);
  for (const auto& slot : slots_) {
    if (slot->lane) {
      all.push_back(slot->lane.get());
    }
  }
  return all;
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
    slot.lane =
        std::make_unique<Lane>(slot.core, clock_, rules_.start, [this] { watchdog_.poke(); });
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
        loads.push_back({.node = nodeOf(*slot),
                         .models = slot->lane ? slot->lane->modelCount() : 0,
                         .stuck = slot->lane && slot->lane->isStuck()});
      }
    }
    for (const std::size_t at : chooseLanes(loads, wanted - chosen.size())) {
      chosen.push_back(slots[at]);
    }
  };
  choose([&](const Slot& slot) { return isCurrent(slot) && !slot.lane->isStuck(); });
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
