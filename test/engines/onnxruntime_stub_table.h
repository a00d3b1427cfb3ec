// SPDX-License-Identifier: Apache-2.0
// The function table of the stub of ONNX Runtime, every slot of which can be told to fail.
// Threads: filled on one, read on any.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <type_traits>

#include "native/engine/onnx/onnx_api.h"
#include "test/engines/onnxruntime_stub_objects.h"

namespace infer::onnx {

// The implementation, unless the script has a failure for its slot.
template <auto Implementation, std::size_t Slot, typename... A>
OrtStatus* scripted(A... arguments) {
  const auto script = state().script();
  if (const auto at = script.failures.find(Slot); at != script.failures.end()) {
    const std::string usual = "slot " + std::to_string(Slot) + " was told to fail";
    return fail(at->second, script.message.empty() ? usual : script.message);
  }
  return Implementation(arguments...);
}

class Table {
 public:
  // A slot that is not set here stays null: calling it ends the program.
  template <auto Implementation, std::size_t Slot, typename R, typename... A>
  void set(Function<Slot, R(A...)> Api::* /*member*/) {
    R (*function)(A...) = Implementation;
    if constexpr (std::is_same_v<R, OrtStatus*>) {
      function = &scripted<Implementation, Slot, A...>;
    }
    slots_.at(Slot) = reinterpret_cast<const void*>(function);
  }
  ApiTable slots() const { return slots_.data(); }

 private:
  std::array<const void*, 425> slots_{};  // as many as release 1.29 has
};

}  // namespace infer::onnx
