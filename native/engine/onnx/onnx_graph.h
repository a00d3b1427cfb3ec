// SPDX-License-Identifier: Apache-2.0
// The one thing about a model file that ONNX Runtime does not tell: which operators it uses.
// Threads: loader; pure functions of their arguments.
#pragma once

#include <cstddef>
#include <span>

namespace infer::onnx {

// Of the bytes of a model file: true when every operator of the graph does work that the shapes of
// its inputs fix: no loops, branches, sizes computed from data, or operators we do not know. False
// for anything unreadable.
bool hasSteadyCost(std::span<const std::byte> model);

}  // namespace infer::onnx
