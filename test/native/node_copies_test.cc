// SPDX-License-Identifier: Apache-2.0
// Models on lanes of several NUMA nodes: how often they are loaded, where, and which copy a lane
// runs. The cores are this machine's; that they lie on two nodes is only said.
#include "native/scheduler/node_copies.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "native/base/affinity.h"
#include "native/base/cpu_budget.h"
#include "native/base/error.h"
#include "native/base/topology.h"
#include "native/engine/engine.h"
#include "native/scheduler/scheduler.h"
#include "test/native/check.h"
#include "test/native/rig.h"
#include "test/native/test_engine.h"

namespace {

using infer::Topology;

// The first two cores of this machine on nodes of their own, a lane pinned to each. Nothing where
// there are not two, or threads cannot be pinned.
std::optional<infer::CpuBudget> twoNodes() {
  const auto allowed = infer::allowedCores();
  if (!allowed.ok() || allowed.value().size() < 2 || infer::currentCore() < 0) {
    check::skip("it takes two cores and a system that pins threads");
    return std::nullopt;
  }
  const std::vector<int> cores = {allowed.value()[0], allowed.value()[1]};
  infer::CpuBudget budget;
  budget.cores = cores;
  budget.lanes = 2;
  budget.pin = true;
  budget.topology.cores = {{cores[0], cores[0], 0}, {cores[1], cores[1], 1}};
  return budget;
}

// A rig whose lanes are those.
struct TwoNodes : test::Rig {
  explicit TwoNodes(const infer::CpuBudget& budget)
      : first(budget.cores[0]), second(budget.cores[1]) {
    scheduler = std::make_unique<infer::Scheduler>(budget.cores, budget, clock);
  }
  const int first;
  const int second;
};

void onTwoNodes(const std::function<void(TwoNodes&)>& body) {
  if (const auto budget = twoNodes()) {
    TwoNodes rig(*budget);
    body(rig);
  }
}

const check::Add kTwice("lanes on two nodes: a copy of the model on each, run by its own lane", [] {
  onTwoNodes([](TwoNodes& rig) {
    infer::LoadSpec spec = rig.spec();
    spec.limits.maxBatch = 1;
    const auto model = rig.load(spec);
    const std::vector<std::vector<int>> near = {{rig.first}, {rig.second}};
    check::that(rig.stage->loadCores() == near, "a load on each node, by a thread confined to it");
    rig.stage->holdRuns(true);
    rig.submit(model, 1, 2);
    rig.stage->waitForRuns(2);
    std::set<std::pair<int, std::size_t>> seen;
    for (const test::RunSeen& run : rig.stage->runs()) {
      seen.emplace(run.cores.front(), run.model);
    }
    const std::set<std::pair<int, std::size_t>> expected = {{rig.first, 0}, {rig.second, 1}};
    check::that(seen == expected, "each lane to run the copy of its node");
    rig.stage->holdRuns(false);
    rig.inbox->waitFor(2);
    check::equal(rig.wrongAnswers(1, 2), std::string(), "right answers");
  });
});

const check::Add kFreed("closing the model frees every copy", [] {
  onTwoNodes([](TwoNodes& rig) {
    auto model = rig.load();
    check::equal(rig.stage->live(), std::size_t{2}, "copies while it is open");
    test::Rig::release(model);
    rig.stage->waitForLive(0);
    check::equal(rig.stage->live(), std::size_t{0}, "copies after");
  });
});

const check::Add kOneNode("lanes on one node of two: one copy, loaded there", [] {
  onTwoNodes([](TwoNodes& rig) {
    infer::LoadSpec spec = rig.spec();
    spec.placement.cores = {rig.second};
    const auto model = rig.load(spec);
    const std::vector<std::vector<int>> near = {{rig.second}};
    check::that(rig.stage->loadCores() == near, "one load on the second core");
  });
});

const check::Add kBack("the loading thread may go everywhere again afterwards", [] {
  onTwoNodes([](TwoNodes& rig) {
    const auto before = infer::allowedCores().value();
    const auto near = infer::loadOnNodes(rig.spec(), *rig.engine, rig.scheduler->budget().topology,
                                         std::vector<int>{rig.first});
    check::succeeded(near, "a load");
    check::that(infer::allowedCores().value() == before, "the mask from before");
  });
});

const check::Add kFails("a load that fails on a node fails whole", [] {
  onTwoNodes([](TwoNodes& rig) {
    rig.stage->failLoads(infer::Error{infer::ErrorCode::kModelInvalid, "broken", {}});
    const auto model = rig.tryLoad(rig.spec());
    check::failed(model, infer::ErrorCode::kModelInvalid, "broken");
    check::equal(rig.stage->live(), std::size_t{0}, "copies left");
  });
});

const check::Add kWarm("every copy is warmed up", [] {
  onTwoNodes([](TwoNodes& rig) {
    infer::LoadSpec spec = rig.spec();
    spec.warmup = true;
    const auto model = rig.load(spec);
    std::vector<std::size_t> warmed;
    for (const test::RunSeen& run : rig.stage->runs()) {
      warmed.push_back(run.model);
    }
    check::that(warmed == std::vector<std::size_t>{0, 1}, "a run of each copy");
  });
});

struct PlainCase {
  const char* name;
  Topology topology;
  const char* device;
  std::vector<int> cores;  // of the lanes
};

const std::vector<PlainCase> kPlain = {
    {"a host of one node loads once, wherever the thread is",
     {{{0, 0, 0}, {1, 1, 0}}, ""},
     "cpu",
     {0, 1}},
    {"lanes that are not pinned load once", {{{0, 0, 0}, {1, 1, 1}}, ""}, "cpu", {}},
    {"another device loads once", {{{0, 0, 0}, {1, 1, 1}}, ""}, "cuda:0", {0, 1}},
    {"a host of which nothing is known loads once", {}, "cpu", {0, 1}},
};

void checkPlain(const PlainCase& row) {
  const test::Rig rig;
  infer::LoadSpec spec = rig.spec();
  spec.device.name = row.device;
  const auto loaded = infer::loadOnNodes(spec, *rig.engine, row.topology, row.cores);
  check::succeeded(loaded, "a model");
  const std::vector<std::vector<int>> anywhere = {infer::allowedCores().value()};
  check::that(rig.stage->loadCores() == anywhere, "one load by a thread that is not confined");
}

const check::AddEach kEachPlain(kPlain, checkPlain);

}  // namespace
