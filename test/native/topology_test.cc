// SPDX-License-Identifier: Apache-2.0
// Siblings and nodes read from small copies of /sys.
#include "native/base/topology.h"

#include <string>
#include <vector>

#include "native/base/affinity.h"
#include "test/native/check.h"
#include "test/native/fake_host.h"

namespace {

using infer::Core;
using infer::Topology;
using test::node;
using test::siblings;

struct Row {
  const char* name;
  test::HostFiles files;
  std::vector<int> allowed;
  std::vector<Core> cores;
  const char* problem;  // part of it; "" when everything can be understood
};

const std::vector<Row> kRows = {
    {"cores of their own on one node",
     test::plainCores(0, 1) + node(0, "0-1"),
     {0, 1},
     {{0, 0, 0}, {1, 1, 0}},
     ""},
    {"siblings numbered side by side",
     siblings({0, 1}, "0-1") + siblings({2, 3}, "2-3"),
     {0, 1, 2, 3},
     {{0, 0, 0}, {1, 0, 0}, {2, 2, 0}, {3, 2, 0}},
     ""},
    {"siblings numbered apart, on two nodes",
     test::pairedCores(2) + node(0, "0,2") + node(1, "1,3"),
     {0, 1, 2, 3},
     {{0, 0, 0}, {1, 1, 1}, {2, 0, 0}, {3, 1, 1}},
     ""},
    {"only the allowed cores, under their host's numbers",
     test::pairedCores(4) + node(0, "0-1,4-5") + node(1, "2-3,6-7"),
     {2, 5, 6},
     {{2, 2, 1}, {5, 1, 0}, {6, 2, 1}},
     ""},
    {"nodes without cores or with gaps in their numbers",
     test::plainCores(0, 1) + node(2, "") + node(8, "0-1"),
     {0, 1},
     {{0, 0, 8}, {1, 1, 8}},
     ""},
    {"nothing is said: every core for itself on node 0", {}, {0, 3}, {{0, 0, 0}, {3, 3, 0}}, ""},
    {"other entries beside the nodes are none",
     {{"sys/devices/system/node/nodes/cpulist", "0"},
      {"sys/devices/system/node/node-1/cpulist", "0"}},
     {0},
     {{0, 0, 0}},
     ""},
    {"siblings that are no list leave the core for itself and are named",
     siblings({0}, "zero") + siblings({1, 2}, "1-2"),
     {0, 1, 2},
     {{0, 0, 0}, {1, 1, 0}, {2, 1, 0}},
     "cpu0/topology/thread_siblings_list: expected a list of cores with 0 in it, got \"zero\""},
    {"siblings without the core itself are named",
     siblings({0}, "1-2"),
     {0},
     {{0, 0, 0}},
     "cpu0/topology/thread_siblings_list"},
    {"a range that runs backwards is named", siblings({1}, "2-1"), {1}, {{1, 1, 0}}, "got \"2-1\""},
    {"a range without an end is named", siblings({1}, "1-"), {1}, {{1, 1, 0}}, "got \"1-\""},
    {"a range beyond any host is named, not filled",
     siblings({1}, "1-99999999999"),
     {1},
     {{1, 1, 0}},
     "got \"1-99999999999\""},
    {"a node that is no list is named and leaves the others",
     node(0, "all") + node(1, "1"),
     {0, 1},
     {{0, 0, 0}, {1, 1, 1}},
     "node0/cpulist: expected a list of cores, got \"all\""},
};

void checkRow(const Row& row) {
  const test::FakeHost host(row.files);
  const Topology topology = infer::readTopology(row.allowed, host.root());
  check::that(topology.cores == row.cores, "the cores of the row");
  const std::string problem = row.problem;
  check::equal(topology.problem.empty(), problem.empty(), "a problem only where one is");
  check::contains(topology.problem, problem);
}

const check::AddEach kEach(kRows, checkRow);

const check::Add kLookUp("cores and nodes are found by each other", [] {
  const Topology topology{.cores = {{0, 0, 0}, {1, 1, 1}, {4, 0, 0}}, .problem = ""};
  check::that(topology.coresOf(0) == std::vector<int>{0, 4}, "cores 0 and 4 of node 0");
  check::that(topology.coresOf(2).empty(), "no core of an unknown node");
  check::equal(topology.nodeOf(1), 1, "the node of core 1");
  check::equal(topology.nodeOf(9), 0, "the node of an unknown core");
});

const check::Add kThisHost("this host's own files can be understood", [] {
  const std::vector<int> allowed = infer::allowedCores().value();
  const Topology topology = infer::readTopology(allowed);
  check::equal(topology.problem, std::string(), "no problem");
  check::equal(topology.cores.size(), allowed.size(), "every allowed core");
});

}  // namespace
