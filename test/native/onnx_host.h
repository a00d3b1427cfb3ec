// SPDX-License-Identifier: Apache-2.0
// The real ONNX Runtime, where this build knows one, and its models from test/fixtures.
// Threads: one case.
#pragma once

#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "native/base/error.h"
#include "native/engine/engine.h"
#include "native/engine/registry.h"
#include "test/native/check.h"
#include "test/native/fixtures.h"

namespace test {

// Opened when first asked for; throws when the library that the build names cannot be used.
inline std::shared_ptr<infer::Engine> onnxEngine() {
  const infer::LibraryCandidate library{
      .source = "the build", .path = INFER_ORT_LIBRARY, .required = true};
  auto engine = infer::Registry::process().engine("onnxruntime", {library});
  if (!engine.ok()) {
    throw std::runtime_error(engine.error().message);
  }
  return std::move(engine).value();
}

inline infer::Result<std::shared_ptr<infer::LoadedModel>> tryLoad(const std::string& path) {
  return onnxEngine()->load({.path = path}, {"cpu"});
}

// A model of test/fixtures that must load: throws what went wrong.
inline std::shared_ptr<infer::LoadedModel> loadFixture(const std::string& name) {
  auto model = tryLoad(fixture(name + ".onnx"));
  if (!model.ok()) {
    throw std::runtime_error(model.error().message);
  }
  return std::move(model).value();
}

inline std::function<void()> unlessMissing(std::function<void()> body) {
  return [body = std::move(body)] {
    if (std::string(INFER_ORT_LIBRARY).empty()) {
      check::skip("onnxruntime-node, which holds the library, is not installed");
      return;
    }
    body();
  };
}

// As check::Add for a case that needs the real library; skipped with the reason without it.
struct AddOnnx : check::Add {
  AddOnnx(std::string name, std::function<void()> body)
      : Add(std::move(name), unlessMissing(std::move(body))) {}
};

// As check::AddEach, the same way.
struct AddEachOnnx : check::AddEach {
  template <typename Rows, typename Body>
  AddEachOnnx(const Rows& rows, Body body)
      : AddEach(rows, [body](const auto& row) { unlessMissing([&row, body] { body(row); })(); }) {}
};

}  // namespace test
