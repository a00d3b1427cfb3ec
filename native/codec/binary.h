// SPDX-License-Identifier: Apache-2.0
// Tensors as raw bytes: little-endian and row-major, strings with their lengths in front.
// Threads: pure functions; any.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "native/base/error.h"
#include "native/base/tensor.h"

namespace infer::codec {

// Of the tensor in this form.
std::size_t binaryBytes(const Tensor& tensor);
void appendBinary(std::string& out, const Tensor& tensor);

// A copy. `shape` fits `spec`; errors say in the words of Triton that `chunk` does not fit `shape`.
Result<Tensor> readBinary(std::string_view chunk, const TensorSpec& spec, Shape shape,
                          std::string_view model);

}  // namespace infer::codec
