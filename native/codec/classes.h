// SPDX-License-Identifier: Apache-2.0
// The classification extension of the Open Inference Protocol: scores -> the best, by value.
// Threads: pure functions; any.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "native/base/error.h"
#include "native/base/tensor.h"

namespace infer::codec {

struct Ranking {
  std::uint64_t count = 0;                   // at most; 1 or more
  bool inRows = false;                       // axis 0 counts rows that are ranked apart
  std::span<const std::string> labels = {};  // by index; not every class needs one
};

// Whether elements of that type can be ranked.
bool canRank(ElementType type);

// Strings `value:index` or `value:index:label`, best first, equal ones in their order, NaN last;
// shape [rows, n], or [n] without rows. Fails for rows of more than a million elements.
Result<Tensor> bestClasses(const Tensor& scores, const Ranking& ranking);

}  // namespace infer::codec
