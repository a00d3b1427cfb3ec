// SPDX-License-Identifier: Apache-2.0
// Packs rows of requests into one batch, and hands each request its rows of the outputs.
// Threads: lane; pure functions of their arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"

namespace infer {

// Slices of this size or more get memory of their own, so that one kept answer does not keep the
// outputs of its whole batch alive; smaller ones share the batch's buffer until JS has copied them.
inline constexpr std::size_t kOwnSliceBytes = std::size_t{256} * 1024;

// `rows` rows of `whole` from row `offset` on. Bytes are shared, strings are moved out.
Tensor takeRows(Tensor& whole, std::int64_t offset, std::int64_t rows);

// Tensors that agree in every axis but axis 0, one after the other in one of `rows` rows. What is
// missing are copies of row 0, which a model can take as it could take the row itself, or zeros
// when there is none.
Tensor joinRows(std::span<const Tensor* const> pieces, std::int64_t rows);

std::int64_t rowsOf(std::span<const std::unique_ptr<Request>> requests);

// `requests` agree in element types and in every axis but axis 0 (the policy's tail) and have at
// most `rows` rows. Of a single request that needs no padding the inputs are moved out without a
// copy; of others they are copied and stay where they are.
Batch pack(std::span<const std::unique_ptr<Request>> requests, std::int64_t rows);

// Sets the result of each request to its rows of `outputs`, the outputs of a run of `rows` rows.
// Fails with kEngineFailed and sets nothing when axis 0 of an output is not that, which may be so
// for a whole request that ran alone.
Result<void> split(Outputs outputs, std::span<const std::unique_ptr<Request>> requests,
                   std::int64_t rows);

}  // namespace infer
