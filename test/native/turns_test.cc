// SPDX-License-Identifier: Apache-2.0
// The order in which a lane serves its models, over a virtual clock.
#include "native/scheduler/turns.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "native/base/clock.h"
#include "test/native/check.h"

namespace {

using infer::kNever;
using infer::kQuantum;
using infer::TimeNs;

constexpr TimeNs kMicrosecond = 1'000;
constexpr TimeNs kMillisecond = 1'000 * kMicrosecond;

struct Model {
  TimeNs cost = kQuantum;    // of one run
  bool waits = true;         // has something waiting; for ever, unless the case says otherwise
  TimeNs deadline = kNever;  // of what waits
  infer::Share share = {};
  std::size_t runs = 0;
  TimeNs since = 0;     // it waits in turn
  TimeNs lastWait = 0;  // before its last run
  TimeNs waited = 0;    // the longest so far
};

// The same every time.
std::mt19937 seeded(std::uint32_t seed) {
  return std::mt19937(seed);
}

// A lane without a thread: it serves one model after the other, and the clock moves by their costs.
class VirtualLane {
 public:
  explicit VirtualLane(std::vector<Model> all) : models(std::move(all)) {}

  // One run, if anything waits; returns its model.
  std::size_t step() {
    std::vector<infer::Contender> contenders;
    for (std::size_t i = 0; i < models.size(); ++i) {
      const std::size_t at = (next_ + i) % models.size();
      if (models[at].waits) {
        contenders.push_back(
            {.share = &models[at].share, .deadline = models[at].deadline, .place = at});
      }
    }
    const std::size_t served = contenders[turns.next(contenders)].place;
    Model& model = models[served];
    model.lastWait = now - model.since;
    model.waited = std::max(model.waited, model.lastWait);
    now += model.cost;
    turns.charge(model.share, model.cost);
    ++model.runs;
    model.since = now;
    next_ = served + 1;
    return served;
  }
  // Runs until `end`; `ran` is told of each.
  void runUntil(TimeNs end, const std::function<void(std::size_t)>& ran = [](std::size_t) {}) {
    while (now < end) {
      ran(step());
    }
  }
  std::string order(std::size_t runs) {
    std::string text;
    for (std::size_t i = 0; i < runs; ++i) {
      text += std::to_string(step());
    }
    return text;
  }
  TimeNs timeOf(std::size_t at) const {
    return static_cast<TimeNs>(models[at].runs) * models[at].cost;
  }

  std::vector<Model> models;
  infer::Turns turns;
  TimeNs now = 0;

 private:
  std::size_t next_ = 0;
};

const check::Add kAlternate("equal models take turns run by run", [] {
  VirtualLane lane({{.cost = 10 * kMicrosecond}, {.cost = 10 * kMicrosecond}, {}});
  lane.models[2].cost = 10 * kMicrosecond;
  check::equal(lane.order(9), "012012012", "order");
});

const check::Add kShares("saturated models share the time, whatever a run of theirs takes", [] {
  VirtualLane lane({{.cost = 20 * kMicrosecond}, {.cost = 3 * kMillisecond}, {.cost = 70'000}});
  lane.runUntil(3000 * kMillisecond);
  for (std::size_t at = 0; at < lane.models.size(); ++at) {
    const TimeNs off = std::abs(lane.timeOf(at) - 1000 * kMillisecond);
    check::that(off <= kQuantum + 3 * kMillisecond,
                "a third for model " + std::to_string(at) + ", give or take a quantum and a run");
  }
});

// After each run, a request to one of the others: together they want less than the lane has.
const check::Add kSlowNeighbour(
    "beside a slow saturated model nobody waits for two of its runs", [] {
      constexpr TimeNs kOwn = 100 * kMicrosecond;
      constexpr TimeNs kSlow = 50 * kOwn;
      std::vector<Model> models(100, {.cost = kOwn, .waits = false});
      models.front() = {.cost = kSlow};
      VirtualLane lane(std::move(models));
      std::mt19937 random = seeded(1);
      lane.runUntil(2000 * kMillisecond, [&](std::size_t served) {
        lane.models[served].waits = served == 0;
        auto& caller = lane.models[1 + random() % 99];
        if (!caller.waits) {
          caller.waits = true;
          caller.since = lane.now;
        }
      });
      for (std::size_t at = 1; at < lane.models.size(); ++at) {
        check::that(lane.models[at].runs > 0, "runs of model " + std::to_string(at));
        check::that(lane.models[at].waited < 2 * kSlow,
                    "model " + std::to_string(at) +
                        " to wait for less than two slow runs, waited " +
                        std::to_string(lane.models[at].waited));
      }
    });

// Every model has a cost of its own, unknown before its first run, and some have urgent requests
// all the time.
const check::Add kBound("a model in turn waits for a quantum and one run of each other", [] {
  std::mt19937 random = seeded(2);
  for (int round = 0; round < 200; ++round) {
    std::vector<Model> models(2 + random() % 20);
    TimeNs bound = 0;
    for (Model& model : models) {
      model.cost = 1 + static_cast<TimeNs>(random() % (5 * kMillisecond));
      model.deadline = random() % 3 == 0 ? static_cast<TimeNs>(random() % 1000) : kNever;
      bound += kQuantum + model.cost;
    }
    VirtualLane lane(std::move(models));
    Model& late = lane.models.front();  // comes when the others have been busy for a while
    late.waits = false;
    late.deadline = kNever;
    for (int i = 0; i < 100; ++i) {
      lane.step();
    }
    late.waits = true;
    const TimeNs came = lane.now;
    while (late.runs == 0 && lane.now <= came + bound) {
      lane.step();
    }
    check::that(late.runs == 1, "to be served within the bound, in round " + std::to_string(round));
  }
});

const check::Add kOverdrawn("who overdraws by a run makes up for it in time, not in turns", [] {
  VirtualLane lane({{.cost = 10 * kMillisecond}, {.cost = kMillisecond}});
  check::equal(lane.order(12), "011111111110", "ten short runs for a long one");
});

const check::Add kNoCredit("an idle model saves nothing up", [] {
  VirtualLane lane({{.cost = 100 * kMicrosecond}, {.cost = 100 * kMicrosecond, .waits = false}});
  lane.runUntil(1000 * kMillisecond);
  lane.models[1].waits = true;
  const TimeNs before = lane.timeOf(0);
  lane.runUntil(1100 * kMillisecond);
  check::that(lane.timeOf(1) <= lane.timeOf(0) - before + 2 * kQuantum,
              "no more than an equal share, and a quantum, of the time since it came back");
});

const check::Add kFirst("a model that comes to a busy lane is served next", [] {
  VirtualLane lane({{.cost = 3 * kMillisecond}, {.cost = 2 * kMillisecond}});
  lane.order(100);
  lane.models.push_back({.cost = kMillisecond});
  // One of the others may be in turn too, and go first.
  const std::string order = lane.order(3);
  check::that(order.find('2') != std::string::npos, "2 among the next, got " + order);
  check::that(order.find('2') <= 1, "2 first or second, got " + order);
});

const check::Add kRest("what was overdrawn while nobody else waited is forgiven", [] {
  VirtualLane lane({{.cost = 1000 * kMillisecond}, {.cost = kMillisecond, .waits = false}});
  lane.order(1);
  lane.turns.rest();
  lane.models[1].waits = true;
  const std::string order = lane.order(3);
  check::that(order.find('0') != std::string::npos, "0 not to wait for long, got " + order);
});

// As measured costs are: each model's a little off, and each run's again.
const check::Add kEven("models of about the same cost wait for about one run of each other", [] {
  constexpr TimeNs kOwn = 200 * kMicrosecond;
  std::mt19937 random = seeded(3);
  const auto about = [&random](TimeNs time, unsigned percent) {
    return time * static_cast<TimeNs>(100 - percent + random() % (2 * percent + 1)) / 100;
  };
  std::vector<Model> models(100);
  std::vector<TimeNs> usual(models.size());
  std::ranges::generate(usual, [&] { return about(kOwn, 10); });
  VirtualLane lane(std::move(models));
  std::vector<std::size_t> longWaits(usual.size());
  lane.runUntil(20'000 * kMillisecond, [&](std::size_t served) {
    Model& model = lane.models[served];
    longWaits[served] += model.lastWait > 150 * kOwn ? 1 : 0;
    model.cost = about(usual[served], 5);
  });
  for (std::size_t at = 0; at < longWaits.size(); ++at) {
    check::that(lane.models[at].runs > 800, "more than 800 runs of model " + std::to_string(at));
    check::that(longWaits[at] <= lane.models[at].runs / 100,
                "one in a hundred waits longer than half as long again, of model " +
                    std::to_string(at) + " " + std::to_string(longWaits[at]));
  }
});

const check::Add kUrgent("among those in turn the earliest deadline goes first", [] {
  VirtualLane lane({{}, {}, {}, {}});
  lane.models[0].deadline = 400;
  lane.models[1].deadline = 100;
  lane.models[3].deadline = 300;
  check::equal(lane.order(8), "13021302", "by deadline within a round, the one without any last");
});

const check::Add kUrgentBound("a deadline buys no more than the round grants", [] {
  VirtualLane lane({{.cost = 100 * kMicrosecond}, {.cost = 100 * kMicrosecond}});
  lane.models[1].deadline = 1;
  lane.runUntil(1000 * kMillisecond);
  check::that(std::abs(lane.timeOf(0) - lane.timeOf(1)) <= 2 * kQuantum, "equal shares");
});

const check::Add kInstant("runs that take no time go round", [] {
  VirtualLane lane({{.cost = 0}, {.cost = 0}, {.cost = 0}});
  check::equal(lane.order(6), "012012", "order");
});

}  // namespace
