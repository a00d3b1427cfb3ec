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
#include "native/scheduler/buckets.h"
#include "native/scheduler/padding.h"

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

// What the requests of a run are padded to.
struct BatchShape {
  std::int64_t rows = 0;
  Shape lengths = {};                // of the padded axes
  const Padding* padding = nullptr;  // null: no axis is padded; borrowed
};

// Rows of the bucket that holds the requests, lengths of the longest of them.
BatchShape shapeOf(std::span<const std::unique_ptr<Request>> requests, Buckets buckets,
                   const Padding& padding);

std::int64_t rowsOf(std::span<const std::unique_ptr<Request>> requests);

// `requests` agree in element types and in every axis that is not padded (the policy's tail). Of a
// single request that needs no padding the inputs are moved out without a copy; of others they are
// copied and stay where they are. Throws std::length_error when padding takes more than memory has.
Batch pack(std::span<const std::unique_ptr<Request>> requests, const BatchShape& shape);

// Sets the result of each request to its rows of `outputs`, the outputs of a run of that shape,
// without padding. Fails with kEngineFailed and sets nothing when axis 0 of an output or a padded
// axis is not what went in, which may be so for a whole request that ran alone.
Result<void> split(Outputs outputs, std::span<const std::unique_ptr<Request>> requests,
                   const BatchShape& shape);

}  // namespace infer
