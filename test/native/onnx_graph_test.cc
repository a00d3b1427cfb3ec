// SPDX-License-Identifier: Apache-2.0
// Which model files have a cost that their data cannot change.
#include "native/engine/onnx/onnx_graph.h"

#include <array>
#include <cstddef>
#include <fstream>
#include <ios>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "test/native/check.h"
#include "test/native/fixtures.h"

namespace {

using infer::onnx::hasSteadyCost;

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
    check::equal(hasSteadyCost(std::as_bytes(std::span(bytes))), test.steady, test.file);
  }
});

const check::Add kBroken("no prefix and no single changed byte of a model breaks the reader", [] {
  const std::vector<char> whole = read(test::fixture("affine.onnx"));
  check::that(whole.size() > 100, "a model to break");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    // A copy of exactly that size, so that the address sanitizer sees a step beyond its end.
    const std::vector<char> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    hasSteadyCost(std::as_bytes(std::span(part)));
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::vector<char> changed = whole;
    changed[at] = static_cast<char>(~static_cast<unsigned char>(changed[at]));
    hasSteadyCost(std::as_bytes(std::span(changed)));
  }
});

}  // namespace
