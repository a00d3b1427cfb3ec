// SPDX-License-Identifier: Apache-2.0
// What ONNX Runtime's own header says, where CMake finds one installed.
// Threads: any.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace test {

struct HeaderSlot {
  std::string_view name;  // of the member of OrtApi
  std::size_t slot;       // its place in the table of function pointers
};

// Empty where no header is installed: then onnx_header_absent.cc is compiled.
std::vector<HeaderSlot> headerSlots();

}  // namespace test
