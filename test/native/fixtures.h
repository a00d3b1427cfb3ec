// SPDX-License-Identifier: Apache-2.0
// The models of test/fixtures with the numbers that numpy computed for them.
// Threads: values; any.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "native/base/tensor.h"

namespace test {

// The path of a file of test/fixtures.
std::string fixture(const std::string& name);

struct FixtureCase {
  std::string model;
  std::map<std::string, infer::Tensor> inputs;
  std::map<std::string, infer::Tensor> outputs;
  std::string fails;                    // "load", "run", or "" for neither
  std::vector<std::string> notTensors;  // names of outputs
};

struct Fixtures {
  double tolerance = 0;  // absolute, of float32 outputs; everything else is equal
  std::vector<FixtureCase> cases;
};

// expected.json; throws when it cannot be read.
Fixtures readFixtures();

}  // namespace test
