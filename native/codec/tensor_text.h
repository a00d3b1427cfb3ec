// SPDX-License-Identifier: Apache-2.0
// Tensors to JSON text: shortest digits that give the same number back, 64-bit integers in full.
// Threads: pure functions; any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "native/base/tensor.h"

namespace infer::codec {

// About the size of a tensor as text; strings may grow beyond it by what is escaped.
std::size_t textBytes(const Tensor& tensor);

// All elements in row-major order: `[1,2,3]`.
void appendFlat(std::string& out, const Tensor& tensor);
// Arrays nested like the shape; a scalar is its bare element.
void appendNested(std::string& out, const Tensor& tensor);
// The cells of entry `row` of axis 0, in row-major order, as CSV without a line break: NaN as
// `nan`, infinities as `inf`, truth values as Python has them, strings in quotes where they need
// them.
void appendCsvRow(std::string& out, const Tensor& tensor, std::int64_t row);
// Entry `row` of axis 0, nested like the rest of the shape.
void appendRow(std::string& out, const Tensor& tensor, std::int64_t row);

}  // namespace infer::codec
