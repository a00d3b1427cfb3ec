// SPDX-License-Identifier: Apache-2.0
// Every failure that a library with ONNX Runtime's interface can report, in loading and running,
// and that nothing of it is left behind.
#include <cstddef>
#include <initializer_list>
#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "native/base/error.h"
#include "native/base/log.h"
#include "native/base/tensor.h"
#include "native/engine/engine.h"
#include "test/engines/onnxruntime_stub.h"
#include "test/native/check.h"
#include "test/native/fixtures.h"
#include "test/native/stubbed.h"
#include "test/native/tensors.h"

namespace {

using infer::ElementType;
using infer::ErrorCode;
using test::Stubbed;

constexpr int kString = 8;      // ONNXTensorElementDataType
constexpr int kComplex64 = 14;  // the same
constexpr int kSequence = 2;    // ONNXType

void expectClean(const stub::State& state, std::size_t live) {
  check::equal(state.live(), live, "objects that live");
  check::equal(state.wrongUses(), std::size_t{0}, "uses of what does not live");
}

struct CodeCase {
  std::string name;
  int code;
};

// OrtErrorCode of the published interface; what it does not know counts as FAIL.
const std::vector<CodeCase> kCodes = {
    {"FAIL", 1},
    {"INVALID_ARGUMENT", 2},
    {"NO_SUCHFILE", 3},
    {"NO_MODEL", 4},
    {"ENGINE_ERROR", 5},
    {"RUNTIME_EXCEPTION", 6},
    {"INVALID_PROTOBUF", 7},
    {"MODEL_LOADED", 8},
    {"NOT_IMPLEMENTED", 9},
    {"INVALID_GRAPH", 10},
    {"EP_FAIL", 11},
    {"MODEL_LOAD_CANCELED", 12},
    {"MODEL_REQUIRES_COMPILATION", 13},
    {"NOT_FOUND", 14},
    {"FAIL", 15},
    {"FAIL", 1000},
    {"FAIL", -1},
};

const check::Add kLoadCodes("each code of a failing load is told", [] {
  for (const CodeCase& row : kCodes) {
    Stubbed stub({.failures = {{7, row.code}}});
    const auto model = stub.load();
    if (check::failed(model, ErrorCode::kModelInvalid, "slot 7 was told to fail")) {
      check::equal(model.error().detail, row.name, "the detail");
      check::contains(model.error().message, "affine.onnx: not a model ONNX Runtime 1.30.0 can");
    }
    expectClean(stub.state, 2);
  }
});

struct MemoryCase {
  const char* name;
  const char* message;
};

constexpr MemoryCase kMemory[] = {
    {"std::bad_alloc is a lack of memory, not the file's fault",
     "Exception during initialization: std::bad_alloc"},
    {"an allocator's refusal is a lack of memory, not the file's fault",
     "Failed to allocate memory for requested buffer of size 8589934592"},
    {"a file that cannot be mapped is a lack of memory, not the file's fault",
     "mmap failed: Cannot allocate memory"},
};

const check::AddEach kOutOfMemory(kMemory, [](const MemoryCase& row) {
  Stubbed stub({.failures = {{7, 6}}, .message = row.message});
  const auto model = stub.load();
  check::failed(model, ErrorCode::kOutOfMemory, row.message);
  expectClean(stub.state, 2);
  stub.state.play({});
  const auto next = stub.load();
  stub.state.play({.failures = {{9, 6}}, .message = row.message});
  check::failed(next.value()->run(test::twoFloats(1, 2), {}), ErrorCode::kOutOfMemory, row.message);
  expectClean(stub.state, 3);
});

const check::Add kRunCodes("each code of a failing run is told", [] {
  for (const CodeCase& row : kCodes) {
    Stubbed stub;
    const auto model = stub.load();
    stub.state.play({.failures = {{9, row.code}}});
    const auto outputs = model.value()->run(test::twoFloats(1, 2), {});
    if (check::failed(outputs, ErrorCode::kEngineFailed, "slot 9 was told to fail")) {
      check::equal(outputs.error().detail, row.name, "the detail");
    }
    expectClean(stub.state, 3);
  }
});

// Session options; inputs and outputs of the session; their names, kinds, types and shapes.
constexpr std::initializer_list<std::size_t> kLoadSlots = {
    10, 17, 22, 23, 24, 25, 130, 30, 31, 33, 34, 36, 37, 55, 56, 60, 61, 62, 63, 78, 266};

const check::Add kLoadSteps("a load that fails at any step leaves nothing behind", [] {
  for (const std::size_t slot : kLoadSlots) {
    Stubbed stub({.failures = {{slot, 1}}});
    check::failed(stub.load(), ErrorCode::kEngineFailed, "slot " + std::to_string(slot) + " was");
    expectClean(stub.state, 2);
  }
});

struct StepsCase {
  const char* name;
  int elementType;
  std::vector<std::size_t> slots;
};

const std::vector<StepsCase> kRunSteps = {
    {"a run of numbers that fails at any step leaves nothing behind",
     1,
     {39, 49, 9, 65, 60, 61, 62, 51}},
    {"a run of strings that fails at any step leaves nothing behind",
     kString,
     {39, 78, 48, 252, 9, 65, 60, 61, 62, 53, 54}},
};

const check::AddEach kRunFailures(kRunSteps, [](const StepsCase& row) {
  for (const std::size_t slot : row.slots) {
    Stubbed stub({.elementType = row.elementType});
    const auto model = stub.load();
    stub.state.play({.failures = {{slot, 1}}, .elementType = row.elementType});
    const auto outputs = model.value()->run(
        row.elementType == kString ? test::twoStrings("a", "b") : test::twoFloats(1, 2), {});
    check::failed(outputs, ErrorCode::kEngineFailed, "slot " + std::to_string(slot) + " was");
    expectClean(stub.state, 3);
  }
});

const check::Add kNumbers("an output keeps its value in the library until it is dropped", [] {
  Stubbed stub;
  const auto model = stub.load();
  {
    const auto outputs = model.value()->run(test::twoFloats(1.5F, -2), {});
    if (check::succeeded(outputs, "outputs")) {
      check::equal(test::valuesOf<float>(outputs.value()[0]), std::vector<float>{1.5F, -2},
                   "the values");
    }
    expectClean(stub.state, 4);
  }
  expectClean(stub.state, 3);
});

const check::Add kStrings("strings are copied out, with every byte", [] {
  Stubbed stub({.elementType = kString});
  const auto model = stub.load();
  const std::string second("b\0c", 3);
  const auto outputs = model.value()->run(test::twoStrings("", second), {});
  if (check::succeeded(outputs, "outputs")) {
    check::equal(outputs.value()[0].strings, std::vector<std::string>{"", second}, "the strings");
    check::equal(outputs.value()[0].type, ElementType::kString, "the type");
  }
  expectClean(stub.state, 3);
});

class Messages final : public infer::LogListener {
 public:
  void log(const infer::LogLine& line) override { all.push_back(line.message); }
  std::vector<std::string> all;
};

const check::Add kSessionLog("a session logs to us, whoever made the environment", [] {
  Stubbed stub;
  (void)stub.open();
  const auto messages = std::make_shared<Messages>();
  infer::Log::process().add(messages);  // which first gets what was written before
  messages->all.clear();
  check::succeeded(stub.load(), "a model");
  check::equal(messages->all, std::vector<std::string>{"a session begins"}, "its lines");
});

const check::Add kSignature("the signature is read from the session", [] {
  Stubbed stub;
  const auto model = stub.load();
  const infer::Signature& signature = model.value()->signature();
  check::equal(signature.inputs.at(0).name, "x", "the input");
  check::equal(signature.outputs.at(0).name, "y", "the output");
  check::equal(signature.inputs[0].shape, infer::Shape{-1, 2}, "a shape of [?, 2]");
  check::equal(signature.inputs[0].batchAxis.value_or("none"), "rows", "the free axis");
});

struct TypeCase {
  const char* name;
  stub::Script script;
  const char* message;
};

const std::vector<TypeCase> kTypes = {
    {"an element type that we do not carry is refused by number",
     {.elementType = kComplex64},
     "input \"x\": ONNX element type 14 is not supported"},
    {"an input that is no tensor is refused", {.onnxType = kSequence}, "input \"x\": not a tensor"},
};

const check::AddEach kRefused(kTypes, [](const TypeCase& row) {
  Stubbed stub(row.script);
  const auto model = stub.load();
  if (check::failed(model, ErrorCode::kModelInvalid, row.message)) {
    check::equal(model.error().detail, "unsupported-type", "the detail");
  }
  expectClean(stub.state, 2);
});

const check::Add kStop("a run that is told to stop ends, the next one is not affected", [] {
  Stubbed stub;
  const auto model = stub.load();
  stub.state.play({.runWaits = true});
  std::stop_source stop;
  std::thread stopper([&] {
    stub.state.waitForRuns(1);
    stop.request_stop();
  });
  const auto stopped = model.value()->run(test::twoFloats(1, 2), stop.get_token());
  stopper.join();
  check::failed(stopped, ErrorCode::kEngineFailed, "terminate");
  stub.state.play({});
  check::succeeded(model.value()->run(test::twoFloats(1, 2), {}), "outputs");
  expectClean(stub.state, 3);
});

const check::Add kStopEarly("a run that is to stop before it begins ends at once", [] {
  Stubbed stub;
  const auto model = stub.load();
  stub.state.play({.runWaits = true});
  std::stop_source stop;
  stop.request_stop();
  check::failed(model.value()->run(test::twoFloats(1, 2), stop.get_token()),
                ErrorCode::kEngineFailed, "terminate");
});

const check::Add kStopFails("a stop that the library refuses lets the run end by itself", [] {
  Stubbed stub;
  const auto model = stub.load();
  stub.state.play({.failures = {{46, 1}}});
  std::stop_source stop;
  stop.request_stop();
  check::succeeded(model.value()->run(test::twoFloats(1, 2), stop.get_token()), "outputs");
  expectClean(stub.state, 3);
});

const check::Add kLife("a model outlives the registry's share of its engine", [] {
  stub::State& state = test::stubbed();
  {
    std::shared_ptr<infer::LoadedModel> model;
    {
      Stubbed stub;
      model = stub.load().value();
    }
    check::succeeded(model->run(test::twoFloats(3, 4), {}), "outputs");
    expectClean(state, 3);
  }
  expectClean(state, 0);
});

const check::Add kIdle("no thread of a session looks for work without sleeping", [] {
  Stubbed stub;
  check::succeeded(stub.load(), "a model");
  const std::map<std::string, std::string> expected = {
      {"SetIntraOpNumThreads", "1"},
      {"SetInterOpNumThreads", "1"},
      {"session.intra_op.allow_spinning", "0"},
      {"session.inter_op.allow_spinning", "0"},
  };
  check::that(stub.state.settings() == expected, "one thread a run, and no spinning, set in words");
  const infer::ModelFile wide{.path = test::fixture("affine.onnx"), .threadsPerRun = 3};
  check::succeeded(stub.open().value()->load(wide, {"cpu"}), "a model of three threads a run");
  check::equal(stub.state.settings()["SetIntraOpNumThreads"], std::string("3"), "threads");
  check::equal(stub.state.settings()["session.intra_op.allow_spinning"], std::string("0"), "spin");
});

// The last case: the names stay.
const check::Add kLeaks("a name that cannot be freed fails nothing", [] {
  Stubbed stub({.failures = {{76, 1}}});
  check::succeeded(stub.load(), "a model");
  check::equal(stub.state.wrongUses(), std::size_t{0}, "uses of what does not live");
});

}  // namespace
