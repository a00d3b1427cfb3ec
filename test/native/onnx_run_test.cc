// SPDX-License-Identifier: Apache-2.0
// The real ONNX Runtime on every model of test/fixtures: the numbers are numpy's.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/engine/engine.h"
#include "test/native/check.h"
#include "test/native/fixtures.h"
#include "test/native/log_lines.h"
#include "test/native/onnx_host.h"
#include "test/native/tensors.h"

namespace {

using infer::ElementType;
using infer::ErrorCode;
using infer::Tensor;
using test::AddEachOnnx;
using test::AddOnnx;
using test::FixtureCase;

infer::Batch batchOf(const infer::LoadedModel& model, const std::map<std::string, Tensor>& inputs) {
  infer::Batch batch;
  for (const infer::TensorSpec& spec : model.signature().inputs) {
    batch.inputs.push_back(inputs.at(spec.name));
  }
  batch.rows = batch.inputs.front().shape.empty() ? 1 : batch.inputs.front().shape[0];
  return batch;
}

bool close(const Tensor& a, const Tensor& b, double tolerance) {
  if (a.type != b.type || a.shape != b.shape) {
    return false;
  }
  const auto left = test::valuesOf<float>(a);
  const auto right = test::valuesOf<float>(b);
  for (std::size_t i = 0; i < right.size(); ++i) {
    if (!(std::abs(left[i] - right[i]) <= tolerance)) {
      return false;
    }
  }
  return left.size() == right.size();
}

void expectOutputs(const FixtureCase& one, double tolerance) {
  const auto model = test::loadFixture(one.model);
  const auto outputs = model->run(batchOf(*model, one.inputs), {});
  if (!check::succeeded(outputs, "outputs")) {
    return;
  }
  const auto& specs = model->signature().outputs;
  check::equal(specs.size(), one.outputs.size(), "outputs");
  const bool bits = one.model.starts_with("identity_");
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const Tensor& expected = one.outputs.at(specs[i].name);
    const Tensor& got = outputs.value().at(i);
    check::that(bits ? test::same(got, expected) : close(got, expected, tolerance),
                "numpy's numbers in " + specs[i].name + " of shape " +
                    infer::shapeText(expected.shape) + ", got shape " +
                    infer::shapeText(got.shape));
  }
}

void expectRunFailure(const FixtureCase& one) {
  const auto model = test::loadFixture(one.model);
  check::failed(model->run(batchOf(*model, one.inputs), {}), ErrorCode::kEngineFailed,
                "the model failed");
}

void expectRefused(const FixtureCase& one) {
  const auto model = test::tryLoad(test::fixture(one.model + ".onnx"));
  if (check::failed(model, ErrorCode::kModelInvalid, one.model + ".onnx")) {
    for (const std::string& name : one.notTensors) {
      check::contains(model.error().message, "output \"" + name + "\": not a tensor");
    }
  }
}

struct NamedCase {
  std::string name;
  const FixtureCase* fixture;
};

const test::Fixtures& fixtures() {
  static const test::Fixtures all = test::readFixtures();
  return all;
}

std::string behaviour(const FixtureCase& one) {
  if (one.fails == "run") {
    return "fails at run time";
  }
  return one.fails == "load" || !one.notTensors.empty() ? "is refused" : "gives numpy's numbers";
}

// Empty when the fixtures cannot be read: the case behind the loop then says why.
const std::vector<NamedCase> kFixtures = [] {
  std::vector<NamedCase> rows;
  try {
    std::map<std::string, int> seen;
    for (const FixtureCase& one : fixtures().cases) {
      rows.push_back(
          {one.model + ", case " + std::to_string(++seen[one.model]) + ", " + behaviour(one),
           &one});
    }
  } catch (const std::exception&) {
    rows.clear();
  }
  return rows;
}();

const AddEachOnnx kNumbers(kFixtures, [](const NamedCase& row) {
  const FixtureCase& one = *row.fixture;
  if (one.fails == "run") {
    expectRunFailure(one);
  } else if (one.fails == "load" || !one.notTensors.empty()) {
    expectRefused(one);
  } else {
    expectOutputs(one, fixtures().tolerance);
  }
});

const check::Add kAll("every element type and at least forty cases are among the fixtures", [] {
  check::that(fixtures().cases.size() >= 40, "forty cases");
  for (const infer::ElementTypeInfo& type : infer::kElementTypes) {
    const std::string model = "identity_" + std::string(type.name);
    check::that(std::ranges::any_of(fixtures().cases,
                                    [&](const FixtureCase& one) { return one.model == model; }),
                model);
  }
});

struct SpecCase {
  const char* name;
  const char* model;
  std::vector<infer::TensorSpec> inputs;
  std::vector<infer::TensorSpec> outputs;
};

// As make_models.py declares them.
const std::vector<SpecCase> kSpecs = {
    {"names, types and order of a signature are those of the file",
     "two_inputs",
     {{"a", ElementType::kFloat32, {-1, 2}, "batch"}, {"b", ElementType::kInt64, {-1, 3}, "batch"}},
     {{"sum", ElementType::kFloat32, {-1, 1}, "batch"},
      {"scaled", ElementType::kFloat32, {-1, 2}, "batch"}}},
    {"a scalar has no axes",
     "scalar",
     {{"x", ElementType::kFloat32, {}, {}}},
     {{"y", ElementType::kFloat32, {}, {}}}},
    {"every free axis is free, the first one has a name",
     "free_axes",
     {{"x", ElementType::kFloat32, {-1, -1}, "batch"}},
     {{"doubled", ElementType::kFloat32, {-1, -1}, "batch"},
      {"mean", ElementType::kFloat32, {-1}, "batch"}}},
    {"a fixed axis 0 is not free",
     "fixed_batch",
     {{"x", ElementType::kFloat32, {2, 3}, {}}},
     {{"y", ElementType::kFloat32, {2, 3}, {}}}},
    {"axes of different names keep them",
     "two_batch_names",
     {{"a", ElementType::kFloat32, {-1, 2}, "n"}, {"b", ElementType::kFloat32, {-1, 2}, "m"}},
     {{"y", ElementType::kFloat32, {-1, 2}, "n"}}},
};

void expectSpecs(const std::vector<infer::TensorSpec>& got,
                 const std::vector<infer::TensorSpec>& expected) {
  check::equal(got.size(), expected.size(), "tensors");
  for (std::size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
    check::equal(got[i].name, expected[i].name, "the name");
    check::equal(got[i].type, expected[i].type, "the type");
    check::equal(infer::shapeText(got[i].shape), infer::shapeText(expected[i].shape), "the shape");
    check::equal(got[i].batchAxis.value_or("fixed"), expected[i].batchAxis.value_or("fixed"),
                 "the axis 0");
  }
}

const AddEachOnnx kSignatures(kSpecs, [](const SpecCase& row) {
  const auto model = test::loadFixture(row.model);
  expectSpecs(model->signature().inputs, row.inputs);
  expectSpecs(model->signature().outputs, row.outputs);
});

// Inputs of spin.onnx: one row and so many trips.
infer::Batch spin(std::int64_t trips) {
  infer::Batch batch;
  batch.inputs.push_back(test::floats({1, 64}, std::vector<float>(64, 3)));
  batch.inputs.push_back(test::tensorOf(ElementType::kInt64, {}, std::vector<std::int64_t>{trips}));
  batch.rows = 1;
  return batch;
}

constexpr std::int64_t kForEver = 1'000'000'000'000;  // days

const AddOnnx kStop("a run is stopped in its middle, and the model goes on", [] {
  const auto messages = test::LogLines::listen();
  const auto model = test::loadFixture("spin");
  std::stop_source stop;
  std::thread stopper([&] {
    // Takes milliseconds, in which the long run is well under way.
    check::succeeded(model->run(spin(20'000), {}), "a short run beside it");
    stop.request_stop();
  });
  const auto stopped = model->run(spin(kForEver), stop.get_token());
  stopper.join();
  check::failed(stopped, ErrorCode::kEngineFailed, "terminate");
  const auto next = model->run(spin(2), {});
  if (check::succeeded(next, "the next run")) {
    check::equal(test::valuesOf<float>(next.value()[0]), std::vector<float>(64, 3),
                 "its own input");
  }
  check::that(messages->text().find("terminate") == std::string::npos,
              "no line about the stop: " + messages->text());
});

const AddOnnx kStopFirst("a run that is to stop before it begins ends at once", [] {
  const auto model = test::loadFixture("spin");
  std::stop_source stop;
  stop.request_stop();
  check::failed(model->run(spin(kForEver), stop.get_token()), ErrorCode::kEngineFailed,
                "terminate");
});

// 200 runs of 1 to 4 rows that hold one number each.
void runMany(infer::LoadedModel& model, float number) {
  for (int i = 0; i < 200; ++i) {
    const std::int64_t rows = 1 + i % 4;
    const std::vector<float> values(static_cast<std::size_t>(rows) * 5, number);
    infer::Batch batch;
    batch.inputs.push_back(test::floats({rows, 5}, values));
    batch.rows = rows;
    const auto outputs = model.run(batch, {});
    if (check::succeeded(outputs, "outputs")) {
      check::that(test::same(outputs.value()[1],
                             test::floats({rows}, std::vector<float>(static_cast<std::size_t>(rows),
                                                                     number))),
                  "the mean of its own rows");
    }
  }
}

const AddOnnx kThreads("four threads run one model at once and get their own answers", [] {
  const auto model = test::loadFixture("free_axes");
  std::vector<std::jthread> threads;
  threads.reserve(4);
  for (int i = 1; i <= 4; ++i) {
    threads.emplace_back([&model, i] { runMany(*model, static_cast<float>(i)); });
  }
});

const AddOnnx kPassThrough("an output that is an input has memory of its own", [] {
  const auto model = test::loadFixture("passthrough");
  infer::Outputs outputs;
  {
    infer::Batch batch;
    batch.inputs.push_back(test::floats({2, 2}, {1, 2, 3, 4}));
    batch.rows = 2;
    outputs = model->run(batch, {}).value();
    check::that(outputs.at(0).bytes.data() != batch.inputs[0].bytes.data(), "another address");
  }
  check::equal(test::valuesOf<float>(outputs[0]), std::vector<float>{1, 2, 3, 4}, "x as it came");
  check::equal(test::valuesOf<float>(outputs.at(1)), std::vector<float>{2, 3, 4, 5}, "x + 1");
});

const AddOnnx kOutlives("an output outlives the model that gave it", [] {
  auto model = test::loadFixture("spin");
  auto outputs = model->run(spin(0), {});
  model.reset();
  check::equal(test::valuesOf<float>(outputs.value()[0]), std::vector<float>(64, 3), "the values");
});

}  // namespace
