// SPDX-License-Identifier: Apache-2.0
// Tensors of ours to and from values of ONNX Runtime, without copying numbers.
// Threads: lane.
#pragma once

#include <optional>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/engine/onnx/onnx_api.h"
#include "native/engine/onnx/onnx_library.h"

namespace infer::onnx {

// nullopt: a type this library does not carry.
std::optional<ElementType> elementTypeOf(int ortType);

// Borrows the bytes of `tensor`, which must outlive the value; strings are copied.
Result<Owned<OrtValue>> toOrt(const Library& library, const Tensor& tensor);

// The tensor keeps the value alive: no copy of numbers. Strings are copied.
Result<Tensor> fromOrt(const Library& library, Owned<OrtValue> value);

}  // namespace infer::onnx
