// SPDX-License-Identifier: Apache-2.0
// For machines without ONNX Runtime's header.
// Threads: any.
#include <vector>

#include "test/engines/onnx_header.h"

namespace test {

std::vector<HeaderSlot> headerSlots() {
  return {};
}

}  // namespace test
