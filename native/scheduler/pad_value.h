// SPDX-License-Identifier: Apache-2.0
// The element that padding consists of.
// Threads: a pure function; any.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include "native/base/tensor.h"

namespace infer {

using Element = std::array<std::byte, sizeof(double)>;  // the first bytes of it, as the type has

// `value` as an element of `type`, floats rounded to nearest; nullopt when the type does not hold
// it.
std::optional<Element> elementOf(double value, ElementType type);

}  // namespace infer
