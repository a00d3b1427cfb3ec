// SPDX-License-Identifier: Apache-2.0
// Which model files have a cost that their data cannot change.
#include "native/engine/onnx/onnx_graph.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <ios>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "test/native/check.h"
#include "test/native/fixtures.h"

namespace {

bool isSteady(const std::vector<char>& model) {
  const auto read = [&model](std::uint64_t offset, std::span<std::byte> out) {
    const std::size_t left = model.size() - std::min<std::size_t>(offset, model.size());
    const std::size_t count = std::min(out.size(), left);
    std::memcpy(out.data(), model.data() + (model.size() - left), count);
    return count;
  };
  return infer::onnx::hasSteadyCost(model.size(), read);
}

struct Case {
  const char* file;
  bool steady;
};

constexpr std::array kCases = {
    Case{"affine.onnx", true},        Case{"identity_string.onnx", true},
    Case{"two_inputs.onnx", true},    Case{"spin.onnx", false},
    Case{"spin_batch.onnx", false},   Case{"wide_output.onnx", false},
    Case{"no_such_file.onnx", false}, Case{"expected.json", false},
};

std::vector<char> read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const check::Add kFiles("loops and sizes made from data are not steady, arithmetic is", [] {
  for (const Case& test : kCases) {
    const std::vector<char> bytes = read(test::fixture(test.file));
    check::equal(isSteady(bytes), test.steady, test.file);
  }
});

const check::Add kBroken("no prefix and no single changed byte of a model breaks the reader", [] {
  const std::vector<char> whole = read(test::fixture("affine.onnx"));
  check::that(whole.size() > 100, "a model to break");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // A copy of exactly that size, so that the address sanitizer sees a step beyond its end.
    const std::vector<char> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    isSteady(part);
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::vector<char> changed = whole;
    changed[at] = static_cast<char>(~static_cast<unsigned char>(changed[at]));
    isSteady(changed);
  }
});

// Protocol Buffers by hand: a length-delimited field of fewer than 128 bytes.
std::string field(unsigned number, const std::string& content) {
  return std::string{static_cast<char>(number * 8 + 2), static_cast<char>(content.size())} +
         content;
}

struct NodeOf {
  const char* type;
  std::vector<const char*> inputs;
  const char* output;
};

// A model with the initializer "w" behind these nodes.
std::vector<char> modelOf(const std::vector<NodeOf>& nodes) {
  std::string graph;
  for (const NodeOf& each : nodes) {
    std::string node;
    for (const char* input : each.inputs) {
      node += field(1, input);
    }
    graph += field(1, node + field(2, each.output) + field(4, each.type));
  }
  std::string model = field(7, graph + field(5, field(8, "w")));
  return {model.begin(), model.end()};
}

struct GraphCase {
  const char* name;
  bool steady;
  std::vector<NodeOf> nodes;
};

const std::vector<GraphCase> kGraphs = {
    {"a shape from the weights", true, {{"Reshape", {"x", "w"}, "y"}}},
    {"a shape from an input", false, {{"Reshape", {"x", "s"}, "y"}}},
    {"a shape computed from weights",
     true,
     {{"Mul", {"w", "w"}, "s"}, {"Reshape", {"x", "s"}, "y"}}},
    {"a shape computed from another shape",
     true,
     {{"Shape", {"x"}, "a"}, {"Gather", {"a", "w"}, "s"}, {"Reshape", {"x", "s"}, "y"}}},
    {"a shape computed from data", false, {{"Cast", {"x"}, "s"}, {"Reshape", {"x", "s"}, "y"}}},
    {"axes of a sum from an input", false, {{"ReduceSum", {"x", "s"}, "y"}}},
    {"axes of a sum left out", true, {{"ReduceSum", {"x", ""}, "y"}}},
    {"data that is data", true, {{"Gather", {"w", "x"}, "y"}}},
    {"an operator nobody knows", false, {{"Surprise", {"x"}, "y"}}},
};

const check::AddEach kShapes(kGraphs, [](const GraphCase& row) {
  check::equal(isSteady(modelOf(row.nodes)), row.steady, "steady");
});

const check::Add kShrinking("a file that is shorter than it was is not steady", [] {
  const std::vector<char> model = modelOf({{"Relu", {"x"}, "y"}});
  const auto gone = [](std::uint64_t, std::span<std::byte>) { return std::size_t{0}; };
  check::that(!infer::onnx::hasSteadyCost(model.size(), gone), "nothing left to read");
});

}  // namespace
