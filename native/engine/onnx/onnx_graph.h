// SPDX-License-Identifier: Apache-2.0
// The one thing about a model file that ONNX Runtime does not tell: which operators it uses.
// Threads: loader; pure functions of their arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace infer::onnx {

// Fills `out` with the bytes from `offset` on; returns how many there were.
using ReadAt = std::function<std::size_t(std::uint64_t offset, std::span<std::byte> out)>;

// Of a model file of `size` bytes: true when every operator of the graph does work that the shapes
// of its inputs fix: no loops, branches, sizes computed from data, or operators we do not know.
// False for anything unreadable. Weights are not read.
bool hasSteadyCost(std::uint64_t size, const ReadAt& read);

}  // namespace infer::onnx
