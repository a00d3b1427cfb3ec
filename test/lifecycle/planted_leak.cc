// SPDX-License-Identifier: Apache-2.0
// An addon that loses memory when it is loaded: asan.mjs must notice it.
// Threads: js.

extern "C" __attribute__((visibility("default"))) void* napi_register_module_v1(void* /*env*/,
                                                                                void* exports) {
  static volatile char* lost = nullptr;
  lost = new char[1000];
  lost = nullptr;
  return exports;
}
