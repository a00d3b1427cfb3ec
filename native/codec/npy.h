// SPDX-License-Identifier: Apache-2.0
// Tensors as NumPy's save() writes them. Source: NumPy Enhancement Proposal 1, format version 1.0.
// Threads: pure functions; any.
#pragma once

#include <cstddef>
#include <string>

#include "native/base/tensor.h"

namespace infer::codec {

// Of the file; `tensor` is not of strings.
std::size_t npyBytes(const Tensor& tensor);

// Little-endian, row-major. bfloat16, which NumPy does not have, becomes float32.
void appendNpy(std::string& out, const Tensor& tensor);

}  // namespace infer::codec
