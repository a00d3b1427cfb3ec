// SPDX-License-Identifier: Apache-2.0
// Which library is opened, which version of its functions is asked for, and what is said otherwise.
#include "native/engine/registry.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "native/base/error.h"
#include "test/engines/onnxruntime_stub.h"
#include "test/native/check.h"
#include "test/native/stubbed.h"

namespace {

using infer::ErrorCode;
using infer::LibraryCandidate;
using test::Stubbed;

constexpr const char* kOnnx = "onnxruntime";

struct VersionCase {
  const char* name;
  const char* version;
  std::uint32_t asked;  // 0: refused without asking
};

constexpr VersionCase kVersions[] = {
    {"the oldest release we know works", "1.17.0", 17},
    {"a release is asked for its own functions", "1.23.2", 23},
    {"the newest release we know works", "1.30.0", 30},
    {"a newer release is asked for the newest functions we know", "1.99.1", 30},
    {"an older release is refused", "1.16.3", 0},
    {"a release of long ago is refused", "1.9.0", 0},
    {"another major version is refused", "2.0.0", 0},
    {"a major version that only begins with 1 is refused", "10.30.0", 0},
    {"a version without a minor number is refused", "1", 0},
    {"a version that is no number is refused", "1.x.0", 0},
    {"an empty version is refused", "", 0},
};

const check::AddEach kNegotiated(kVersions, [](const VersionCase& row) {
  Stubbed stub({.version = row.version});
  const auto engine = stub.open();
  check::equal(stub.state.askedVersion(), row.asked, "the version asked for");
  if (row.asked != 0) {
    check::succeeded(engine, "an engine");
    check::equal(stub.registry.report({}).front().version, row.version, "the version reported");
    return;
  }
  const auto report = stub.registry.report({test::stubCandidate(true)}).front();
  check::equal(report.problem->code, ErrorCode::kEngineUnavailable, "the code");
  check::equal(report.problem->detail, "version", "the reason");
  check::contains(report.problem->message, std::string("ONNX Runtime ") + row.version);
  check::contains(report.problem->message, "needs 1.17 or newer");
});

struct OpenCase {
  const char* name;
  stub::Script script;
  const char* detail;
  const char* message;
};

const std::vector<OpenCase> kOpens = {
    {"a library that gives no functions is refused",
     {.givesTable = false},
     "version",
     "gives no functions"},
    {"a library that cannot start is refused in its own words",
     {.failures = {{4, 6}}},
     "RUNTIME_EXCEPTION",
     "slot 4 was told to fail"},
    {"a library that cannot describe memory is refused",
     {.failures = {{69, 2}}},
     "INVALID_ARGUMENT",
     "slot 69 was told to fail"},
};

const check::AddEach kOpened(kOpens, [](const OpenCase& row) {
  Stubbed stub(row.script);
  const auto engine = stub.registry.engine(kOnnx, {test::stubCandidate(true)});
  if (check::failed(engine, ErrorCode::kEngineUnavailable, row.message)) {
    check::contains(engine.error().message, "named by a test cannot be used");
    check::equal(engine.error().detail, row.detail, "the reason");
  }
  check::equal(stub.state.live(), std::size_t{0}, "objects left");
  check::equal(stub.state.wrongUses(), std::size_t{0}, "wrong uses");
});

const check::Add kClosed("an engine that is let go leaves nothing in the library", [] {
  stub::State& state = test::stubbed();
  {
    Stubbed stub;
    check::succeeded(stub.open(), "an engine");
    check::equal(state.live(), std::size_t{2}, "an environment and its memory's description");
  }
  check::equal(state.live(), std::size_t{0}, "objects left");
  check::equal(state.wrongUses(), std::size_t{0}, "wrong uses");
});

const std::vector<LibraryCandidate> kUseless = {
    {.source = "a missing file", .path = std::string(INFER_SOURCE_DIR) + "/no/libonnxruntime.so"},
    {.source = "a source file", .path = std::string(INFER_SOURCE_DIR) + "/CMakeLists.txt"},
    {.source = "another library", .path = INFER_EMPTY_LIBRARY},
    {.source = "this process", .path = "libinfer-not-here.so", .mappedOnly = true},
};

const check::Add kSearch("libraries that do not work are passed over and listed", [] {
  Stubbed stub;
  auto candidates = kUseless;
  candidates.push_back(test::stubCandidate());
  candidates.push_back({.source = "never reached", .path = "libinfer-never.so"});
  check::succeeded(stub.registry.engine(kOnnx, candidates), "an engine");
  const auto report = stub.registry.report(candidates).front();
  check::that(!report.problem, "no problem");
  check::equal(report.name, kOnnx, "the name");
  check::equal(report.source, "a test", "the source");
  check::that(std::filesystem::equivalent(report.path, INFER_STUB_LIBRARY), "the path");
  check::equal(report.devices.size(), std::size_t{1}, "devices");
  check::equal(report.tried.size(), std::size_t{5}, "libraries tried");
  const char* const outcomes[] = {"no such file", "not a shared library", "OrtGetApiBase",
                                  "not loaded in this process", "opened"};
  for (std::size_t i = 0; i < report.tried.size(); ++i) {
    check::contains(report.tried[i].outcome, outcomes[i]);
  }
});

const check::Add kNone("when none works the error lists all and says what to do", [] {
  Stubbed stub;
  const auto engine = stub.registry.engine(kOnnx, kUseless);
  if (check::failed(engine, ErrorCode::kEngineUnavailable, "no usable ONNX Runtime library")) {
    check::equal(engine.error().detail, "not-found", "the reason");
    for (const LibraryCandidate& candidate : kUseless) {
      check::contains(engine.error().message, "\n  " + candidate.source + ": ");
    }
    check::contains(engine.error().message, "ORT_DYLIB_PATH");
  }
  check::succeeded(stub.open(), "an engine from a later attempt");
});

const check::Add kRequired("a required library that does not work ends the search", [] {
  Stubbed stub;
  LibraryCandidate named = kUseless[2];
  named.required = true;
  const auto engine = stub.registry.engine(kOnnx, {named, test::stubCandidate()});
  if (check::failed(engine, ErrorCode::kEngineUnavailable, "named by another library")) {
    check::equal(engine.error().detail, "no-entry-point", "the reason");
  }
  check::equal(stub.registry.report({named}).front().tried.size(), std::size_t{1}, "tried");
});

const check::Add kOnce("an engine that is open stays, whatever is offered later", [] {
  Stubbed stub;
  const auto first = stub.open();
  const auto second = stub.registry.engine(kOnnx, kUseless);
  check::that(second.ok() && second.value() == first.value(), "the same engine");
  check::equal(stub.state.live(), std::size_t{2}, "objects: no second environment");
});

struct OtherCase {
  const char* name;
  const char* path;
  bool same;
};

const std::string kIndirect = (std::filesystem::path(INFER_STUB_LIBRARY).parent_path() / "." / "." /
                               std::filesystem::path(INFER_STUB_LIBRARY).filename())
                                  .string();

const OtherCase kOthers[] = {
    {"the same required library is the open engine", INFER_STUB_LIBRARY, true},
    {"another spelling of its path is the open engine", kIndirect.c_str(), true},
    {"another required library is refused once one is open", INFER_EMPTY_LIBRARY, false},
};

const check::AddEach kSecond(kOthers, [](const OtherCase& row) {
  Stubbed stub;
  check::succeeded(stub.open(), "an engine");
  const auto again =
      stub.registry.engine(kOnnx, {{.source = "an option", .path = row.path, .required = true}});
  if (row.same) {
    check::succeeded(again, "the engine");
  } else if (check::failed(again, ErrorCode::kEngineUnavailable, "cannot be opened beside")) {
    check::equal(again.error().detail, "already-open", "the reason");
  }
});

const check::Add kBareName("a required library given by a bare name can be asked for twice", [] {
  Stubbed stub;
  // The loader knows it by that name since it was opened by its path.
  const LibraryCandidate named{
      .source = "an option",
      .path = std::filesystem::path(INFER_STUB_LIBRARY).filename().string(),
      .required = true};
  check::succeeded(stub.registry.engine(kOnnx, {named}), "an engine");
  check::succeeded(stub.registry.engine(kOnnx, {named}), "the same again");
});

const check::Add kUnknown("an unknown engine is refused and the known ones listed", [] {
  Stubbed stub;
  check::failed(stub.registry.engine("tensorrt", {}), ErrorCode::kBadInput,
                "engine \"tensorrt\": expected one of: onnxruntime");
});

const check::Add kNothing("without any candidate the report says so", [] {
  infer::Registry registry;
  const auto report = registry.report({}).front();
  check::that(report.problem.has_value(), "a problem");
  check::that(report.tried.empty() && report.devices.empty() && report.version.empty(), "nothing");
});

}  // namespace
