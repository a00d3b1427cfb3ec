// SPDX-License-Identifier: Apache-2.0
// One wake-up of the JS thread for all that is finished.
#include "native/addon/completion.h"

#include <napi.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "native/addon/convert.h"
#include "native/addon/flat.h"
#include "native/addon/js_error.h"
#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/log.h"
#include "native/base/request.h"

namespace infer::addon {
namespace {

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warn", "error"};

// Runs one piece of what a wake-up has to do. What it throws becomes an uncaught exception of the
// program and keeps nothing else from its turn. True when it threw nothing.
template <typename Body>
bool guarded(Napi::Env env, Body&& body) {
  try {
    atEntry(env, std::forward<Body>(body));
    return true;
  } catch (const Napi::Error& error) {
    napi_fatal_exception(env, error.Value());
    return false;
  }
}

// An answer that JS cannot hold (a string or an array too long for it) fails its own request only.
Napi::Value resultOf(Napi::Env env, Reply& reply) {
  try {
    if (reply.result.ok() && reply.encoded) {
      return textToJs(env, std::move(reply.encoded->finished.text));
    }
    return toJs(env, reply.result);
  } catch (const Napi::Error& error) {
    return errorRecord(
        env, {ErrorCode::kInternal, "the answer cannot be handed to JavaScript: " + error.Message(),
              "answer-too-large"});
  }
}

// Five numbers for each reply: four times in nanoseconds, and how many bytes of its text are in
// front of raw tensors; undefined when there is nothing to say.
Napi::Value factsOf(Napi::Env env, const std::vector<Reply>& replies) {
  constexpr std::size_t kFacts = 5;
  const auto hasFacts = [](const Reply& reply) {
    return reply.encoded && (reply.encoded->timed || reply.encoded->finished.headerBytes > 0);
  };
  if (std::ranges::none_of(replies, hasFacts)) {
    return env.Undefined();
  }
  auto facts = Napi::Float64Array::New(env, replies.size() * kFacts);
  for (std::size_t i = 0; i < replies.size(); ++i) {
    if (hasFacts(replies[i])) {
      const auto [parse, queue, run, format] = replies[i].encoded->times;
      std::size_t at = i * kFacts;
      for (const TimeNs time : {parse, queue, run, format}) {
        facts[at++] = static_cast<double>(time);
      }
      facts[at] = static_cast<double>(replies[i].encoded->finished.headerBytes);
    }
  }
  return facts;
}

}  // namespace

Completion::Completion(Napi::Env env, const Receiver& receiver)
    : completed_(Napi::Persistent(receiver.completed)), log_(Napi::Persistent(receiver.log)) {
  answers_.keep(receiver.answers);
  const napi_value name = Napi::String::New(env, "inference-native");
  const napi_status status = napi_create_threadsafe_function(
      env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, &Completion::onSignal, &wake_);
  if (status != napi_ok) {
    throw Napi::Error::New(env);
  }
  napi_unref_threadsafe_function(env, wake_);
}

void Completion::deliver(std::vector<Reply> replies) {
  const std::lock_guard lock(mutex_);
  if (wake_ == nullptr) {
    return;
  }
  if (replies_.empty()) {
    replies_ = std::move(replies);
  } else {
    std::move(replies.begin(), replies.end(), std::back_inserter(replies_));
  }
  signal();
}

void Completion::log(const LogLine& line) {
  const std::lock_guard lock(mutex_);
  if (wake_ != nullptr && lines_.size() < kMaxLogLines) {
    lines_.push_back(line);
    signal();
  }
}

bool Completion::post(std::function<void(Napi::Env)> task) {
  const std::lock_guard lock(mutex_);
  if (wake_ == nullptr) {
    return false;
  }
  tasks_.push_back(std::move(task));
  signal();
  return true;
}

void Completion::expect(std::size_t answers) {
  if (expected_ == 0 && answers > 0) {
    napi_ref_threadsafe_function(completed_.Env(), wake_);
  }
  expected_ += answers;
}

void Completion::settled(std::size_t answers) {
  expected_ -= answers;
  if (expected_ == 0 && answers > 0) {
    napi_unref_threadsafe_function(completed_.Env(), wake_);
  }
}

void Completion::hold() {
  const std::lock_guard lock(mutex_);
  signalled_ = true;  // as if a wake-up were under way; drain() resets it
}

void Completion::release() {
  const std::lock_guard lock(mutex_);
  signalled_ = false;
  if (wake_ != nullptr && !(replies_.empty() && lines_.empty() && tasks_.empty())) {
    signal();
  }
}

void Completion::close() {
  std::vector<Reply> replies;
  std::vector<std::function<void(Napi::Env)>> tasks;
  {
    const std::lock_guard lock(mutex_);
    if (wake_ == nullptr) {
      return;
    }
    napi_release_threadsafe_function(wake_, napi_tsfn_abort);
    wake_ = nullptr;
    replies.swap(replies_);
    tasks.swap(tasks_);
    lines_.clear();
  }
  completed_.Reset();
  log_.Reset();
  answers_.drop();
}

void Completion::signal() {
  if (!signalled_) {
    signalled_ = true;
    napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
  }
}

void Completion::onSignal(napi_env env, napi_value /*callback*/, void* context, void* /*data*/) {
  if (env == nullptr) {
    return;  // the environment is going away; close() has dropped everything
  }
  static_cast<Completion*>(context)->drain(env);
}

void Completion::drain(Napi::Env env) {
  std::vector<Reply> replies;
  std::vector<LogLine> lines;
  std::vector<std::function<void(Napi::Env)>> tasks;
  {
    const std::lock_guard lock(mutex_);
    replies.swap(replies_);
    lines.swap(lines_);
    tasks.swap(tasks_);
    // While answers flow, no more wake-ups: the receiver asks again in the next turn of its event
    // loop. Otherwise lanes that are faster than JS would keep it in this turn, and its timers
    // waiting.
    signalled_ = !replies.empty();
  }
  for (const auto& task : tasks) {
    guarded(env, [&] { task(env); });
  }
  if (!lines.empty()) {
    guarded(env, [&] { report(env, lines); });
  }
  if (!replies.empty()) {
    settled(replies.size());
    if (!guarded(env, [&] { resolve(env, replies); })) {
      release();  // the receiver may not have got as far as planning to ask again
    }
  }
}

void Completion::resolve(Napi::Env env, std::vector<Reply>& replies) {
  FlatWriter flat(answers_.bytes());
  std::erase_if(replies, [&flat](const Reply& reply) { return flat.add(reply); });
  if (replies.empty()) {
    completed_.Call({});
    return;
  }
  const Napi::Array ids = Napi::Array::New(env, replies.size());
  const Napi::Array results = Napi::Array::New(env, replies.size());
  for (std::size_t i = 0; i < replies.size(); ++i) {
    const auto at = static_cast<std::uint32_t>(i);
    ids.Set(at, static_cast<double>(replies[i].id));
    results.Set(at, resultOf(env, replies[i]));
  }
  completed_.Call({ids, results, factsOf(env, replies)});
}

void Completion::report(Napi::Env env, const std::vector<LogLine>& lines) {
  const Napi::Array all = Napi::Array::New(env, lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Napi::Array line = Napi::Array::New(env, 3);
    const std::string_view level = kLevelNames[static_cast<std::size_t>(lines[i].level)];
    line.Set(0U, Napi::String::New(env, level.data(), level.size()));
    line.Set(1U, Napi::String::New(env, lines[i].engine));
    line.Set(2U, Napi::String::New(env, lines[i].message));
    all.Set(static_cast<std::uint32_t>(i), line);
  }
  log_.Call({all});
}

}  // namespace infer::addon
