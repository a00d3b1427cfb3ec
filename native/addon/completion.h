// SPDX-License-Identifier: Apache-2.0
// The way back to one JS environment: what is finished anywhere is collected here and handed over
// in one turn of its event loop. Threads: owned by the environment and by the requests in flight,
// which end independently; deliver, log and post from any thread; everything else on the JS thread.
#pragma once

#include <napi.h>

#include <cstddef>
#include <functional>
#include <mutex>
#include <vector>

#include "native/addon/flat.h"
#include "native/base/log.h"
#include "native/base/request.h"

namespace infer::addon {

// What JS has for the way back: functions, and the buffer for flat answers.
struct Receiver {
  Napi::Function completed;
  Napi::Function log;
  Napi::ArrayBuffer answers;
};

class Completion final : public ReplyChannel, public LogListener {
 public:
  // `completed(ids, results, times)` and `log(lines)` are called on the JS thread, the former also
  // for what lies in `answers`, without arguments when that is all. After each call of completed()
  // its receiver has to call handOver() in a later turn of the event loop: until one finds nothing,
  // nobody is woken. The completion starts unreferenced: it does not keep the process alive.
  Completion(Napi::Env env, const Receiver& receiver);

  void deliver(std::vector<Reply> replies) override;
  void log(const LogLine& line) override;
  // Runs `task` on the JS thread; false, and nothing is kept, when the environment has ended.
  bool post(std::function<void(Napi::Env)> task);

  // One for every answer that will come: the process stays alive while there are any.
  void expect(std::size_t answers);
  void settled(std::size_t answers);

  // For answers that are made on the JS thread itself: from hold() on, deliver() wakes nobody.
  // handOver() gives what has come to JS at once; release(), where that is not reached, by a
  // wake-up.
  void hold();
  void handOver(Napi::Env env) { drain(env); }
  void release();

  // The environment ends: drops what has come and what will.
  void close();

 private:
  static constexpr std::size_t kMaxLogLines =
      1000;  // waiting for a busy JS thread; more are dropped

  static void onSignal(napi_env env, napi_value callback, void* context, void* data);
  void drain(Napi::Env env);
  void resolve(Napi::Env env, std::vector<Reply>& replies);
  void report(Napi::Env env, const std::vector<LogLine>& lines);
  // Called with mutex_ held, so that close() cannot pull the function away meanwhile: Node frees it
  // when the environment ends, whoever still holds it.
  void signal();

  Napi::FunctionReference completed_;
  Napi::FunctionReference log_;
  FlatBuffer answers_;        // JS thread only
  std::size_t expected_ = 0;  // JS thread only

  std::mutex mutex_;
  napi_threadsafe_function wake_ = nullptr;            // guarded by mutex_; null once closed
  bool signalled_ = false;                             // guarded by mutex_: a wake-up is under way
  std::vector<Reply> replies_;                         // guarded by mutex_
  std::vector<LogLine> lines_;                         // guarded by mutex_
  std::vector<std::function<void(Napi::Env)>> tasks_;  // guarded by mutex_
};

}  // namespace infer::addon
