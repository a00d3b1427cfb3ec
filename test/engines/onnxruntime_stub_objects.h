// SPDX-License-Identifier: Apache-2.0
// The objects that the stub of ONNX Runtime hands out, and the count of them.
// Threads: any; one lock around the objects.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "native/engine/onnx/onnx_api.h"
#include "test/engines/onnxruntime_stub.h"

namespace infer::onnx {

// What the handles of this stub point to.
struct OrtStatus {
  int code = 0;
  std::string message;
};
struct OrtEnv {};
struct OrtSession {};
struct OrtSessionOptions {
  LogFunction log = nullptr;  // of this session
  void* param = nullptr;
};
struct OrtMemoryInfo {};
struct OrtTypeInfo {};
struct OrtAllocator {};
struct OrtRunOptions {
  bool terminated = false;  // guarded by the state's mutex
};
struct OrtTensorInfo {
  int type = 0;
  std::vector<std::int64_t> shape;
};
struct OrtValue {
  OrtTensorInfo info;
  std::vector<char> own;
  void* data = nullptr;              // borrowed, or of `own`
  std::vector<std::string> strings;  // instead, for strings
};

// The one State of the process.
inline stub::State& state() {
  static stub::State one;
  return one;
}

struct Name {
  std::array<char, 2> text{};
};

// Every live object by its address, with a mark of its type.
struct Objects {
  struct Object {
    std::shared_ptr<void> owner;
    const void* type;
  };
  std::mutex mutex;
  std::map<const void*, Object> all;  // guarded by mutex
};

inline Objects& objects() {
  static Objects one;
  return one;
}

template <typename T>
constexpr char kType = 0;

template <typename T>
T* make(T value) {
  const auto object = std::make_shared<T>(std::move(value));
  const std::lock_guard lock(objects().mutex);
  objects().all[object.get()] = {object, &kType<T>};
  state().count(1);
  return object.get();
}

template <typename T>
bool lives(const T* object) {
  const std::lock_guard lock(objects().mutex);
  const auto at = objects().all.find(object);
  return at != objects().all.end() && at->second.type == &kType<T>;
}

// Counts the use of what does not live.
template <typename T>
void use(const T* object) {
  if (!lives(object)) {
    state().wrong();
  }
}

template <typename T>
void release(T* object) {
  if (object == nullptr) {
    return;  // as ONNX Runtime allows
  }
  if (!lives(object)) {
    state().wrong();
    return;
  }
  const std::lock_guard lock(objects().mutex);
  objects().all.erase(object);
  state().count(-1);
}

inline OrtStatus* fail(int code, const std::string& message) {
  return make(OrtStatus{code, message});
}

}  // namespace infer::onnx
