// SPDX-License-Identifier: Apache-2.0
// What a test tells the stub of ONNX Runtime to do, and what the stub saw. The library exports
// `stubState`, which returns the one State of the process.
// Threads: a mutex guards all of it; the script is written between calls into the stub.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace stub {

struct Script {
  std::string version = "1.30.0";
  bool givesTable = true;
  std::map<std::size_t, int> failures = {};  // slot to the OrtErrorCode of the status it returns
  std::string message = {};                  // of those; empty: which slot was told to fail
  int onnxType = 1;                          // of the model's input and output: a tensor
  int elementType = 1;                       // float32
  bool runWaits = false;                     // a run does not end before it is told to terminate
};

class State {
 public:
  // Forgets what was seen, but not the objects that live.
  void play(Script script) {
    const std::lock_guard lock(mutex_);
    script_ = std::move(script);
    askedVersion_ = 0;
    wrongUses_ = 0;
    runs_ = 0;
    settings_.clear();
  }
  Script script() const {
    const std::lock_guard lock(mutex_);
    return script_;
  }

  std::uint32_t askedVersion() const {
    const std::lock_guard lock(mutex_);
    return askedVersion_;
  }
  // Objects made and not released.
  std::size_t live() const {
    const std::lock_guard lock(mutex_);
    return live_;
  }
  // Releases and uses of what was not made or not any more, or is of another kind.
  std::size_t wrongUses() const {
    const std::lock_guard lock(mutex_);
    return wrongUses_;
  }
  // Of session options: what was set last, by key; thread counts under the names of their setters.
  std::map<std::string, std::string> settings() const {
    const std::lock_guard lock(mutex_);
    return settings_;
  }
  void waitForRuns(std::size_t begun) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this, begun] { return runs_ >= begun; });
  }

  // Of the stub.
  void asked(std::uint32_t version) {
    const std::lock_guard lock(mutex_);
    askedVersion_ = version;
  }
  void count(int made) {
    const std::lock_guard lock(mutex_);
    live_ += static_cast<std::size_t>(made);
  }
  void wrong() {
    const std::lock_guard lock(mutex_);
    ++wrongUses_;
  }
  void set(const std::string& key, std::string value) {
    const std::lock_guard lock(mutex_);
    settings_[key] = std::move(value);
  }
  // Announces a run; if runs wait, returns when `terminated`, which terminate() changes, is true.
  void beginRun(const bool& terminated) {
    std::unique_lock lock(mutex_);
    ++runs_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return terminated || !script_.runWaits; });
  }
  void terminate(bool& terminated) {
    const std::lock_guard lock(mutex_);
    terminated = true;
    changed_.notify_all();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Script script_;
  std::uint32_t askedVersion_ = 0;
  std::size_t live_ = 0;
  std::size_t wrongUses_ = 0;
  std::size_t runs_ = 0;
  std::map<std::string, std::string> settings_;
};

}  // namespace stub

extern "C" stub::State* stubState();
