// SPDX-License-Identifier: Apache-2.0
// Which lanes a model gets, for lanes of one node and of two.
#include "native/scheduler/placement.h"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <vector>

#include "native/base/cpu_budget.h"
#include "native/scheduler/scheduler.h"
#include "test/native/check.h"
#include "test/native/rig.h"

namespace {

struct Row {
  const char* name;
  std::vector<infer::LaneLoad> lanes;  // node, models
  std::size_t wanted;
  std::vector<std::size_t> chosen;
};

const std::vector<Row> kRows = {
    {"the emptiest lane", {{0, 2}, {0, 1}, {0, 3}}, 1, {1}},
    {"of equals the first", {{0, 1}, {0, 1}, {0, 1}}, 2, {0, 1}},
    {"the emptiest of several", {{0, 4}, {0, 0}, {0, 2}, {0, 1}}, 2, {1, 3}},
    {"one node rather than the emptiest of two", {{0, 0}, {0, 3}, {1, 1}, {1, 1}}, 2, {2, 3}},
    {"the first of two nodes that are as empty", {{0, 1}, {0, 0}, {1, 0}, {1, 1}}, 2, {1, 0}},
    {"a node with too few lanes is not enough", {{0, 0}, {1, 9}, {1, 9}}, 2, {1, 2}},
    {"both nodes where none has enough", {{0, 1}, {0, 0}, {1, 0}}, 3, {1, 2, 0}},
    {"two of three lanes on three nodes", {{0, 2}, {1, 1}, {2, 0}}, 2, {2, 1}},
    {"all there are where more are wanted", {{0, 0}, {1, 0}}, 5, {0, 1}},
    {"none of none", {}, 1, {}},
    {"a full lane rather than one that hangs", {{0, 0, true}, {0, 9}}, 1, {1}},
    {"another node rather than a lane that hangs",
     {{0, 0, true}, {0, 0}, {1, 5}, {1, 5}},
     2,
     {2, 3}},
    {"one that hangs where no other is left", {{0, 0, true}, {0, 1}}, 2, {1, 0}},
};

void checkRow(const Row& row) {
  check::that(infer::chooseLanes(row.lanes, row.wanted) == row.chosen, "the lanes of the row");
}

const check::AddEach kEach(kRows, checkRow);

const check::Add kScheduler("a model with fewer lanes than there are stays on one node", [] {
  // The scheduler goes by what it is told; that no host has such cores leaves the lanes unpinned.
  infer::CpuBudget budget;
  budget.cores = {60000, 60001, 60002};
  budget.lanes = 3;
  budget.pin = true;
  budget.topology.cores = {{60000, 60000, 0}, {60001, 60001, 1}, {60002, 60002, 1}};
  test::Rig rig;
  rig.scheduler = std::make_unique<infer::Scheduler>(budget.cores, budget, rig.clock);
  infer::LoadSpec both = rig.spec();
  both.placement.lanes = 2;
  infer::LoadSpec first = rig.spec();
  first.placement.cores = {60000};
  const auto model = rig.load(both);
  const auto other = rig.load(first);
  const auto lanes = model->lanes.all();
  check::equal(lanes.size(), std::size_t{2}, "lanes");
  check::that(std::ranges::find(lanes, other->lanes.all().front()) == lanes.end(),
              "both lanes on the second node");
});

}  // namespace
