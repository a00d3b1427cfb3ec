// SPDX-License-Identifier: Apache-2.0
// A channel that keeps every answer it is given, and requests that answer to it.
// Threads: any; one mutex.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "test/native/tensors.h"

namespace test {

class Inbox final : public infer::ReplyChannel {
 public:
  void deliver(std::vector<infer::Reply> replies) override {
    {
      const std::lock_guard lock(mutex_);
      ++deliveries_;
      count_ += replies.size();
      for (infer::Reply& reply : replies) {
        answers_[reply.id].push_back(std::move(reply.result));
        if (reply.encoded) {
          encoded_[reply.id] = std::move(reply.encoded);
        }
      }
    }
    came_.notify_all();
  }

  // Until `count` answers have come since the beginning.
  void waitFor(std::size_t count) {
    std::unique_lock lock(mutex_);
    came_.wait(lock, [this, count] { return count_ >= count; });
  }

  std::size_t count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  std::size_t deliveries() const {
    const std::lock_guard lock(mutex_);
    return deliveries_;
  }
  // How often `id` was answered.
  std::size_t timesAnswered(std::uint64_t id) const {
    const std::lock_guard lock(mutex_);
    const auto at = answers_.find(id);
    return at == answers_.end() ? 0 : at->second.size();
  }
  // The first answer to `id`, or an error that says that there is none.
  infer::Result<infer::Outputs> answer(std::uint64_t id) const {
    const std::lock_guard lock(mutex_);
    const auto at = answers_.find(id);
    if (at == answers_.end()) {
      return infer::Error{infer::ErrorCode::kInternal, "no answer", {}};
    }
    return at->second.front();
  }
  // Of a request that was to be written.
  std::string text(std::uint64_t id) const {
    const std::lock_guard lock(mutex_);
    return encoded_.at(id)->finished.text;
  }
  infer::StageTimes times(std::uint64_t id) const {
    const std::lock_guard lock(mutex_);
    return encoded_.at(id)->times;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable came_;
  std::map<std::uint64_t, std::vector<infer::Result<infer::Outputs>>> answers_;  // by mutex_
  std::map<std::uint64_t, std::unique_ptr<infer::EncodedAnswer>> encoded_;       // by mutex_
  std::size_t count_ = 0;                                                        // by mutex_
  std::size_t deliveries_ = 0;                                                   // by mutex_
};

// What a request of the tests holds: `rows` rows of `width` times `value`.
struct Content {
  std::int64_t rows = 1;
  float value = 0;
  std::int64_t width = 2;
};

inline std::unique_ptr<infer::Request> makeRequest(std::shared_ptr<infer::ReplyChannel> channel,
                                                   std::uint64_t id, const Content& content) {
  auto request = std::make_unique<infer::Request>();
  request->id = id;
  request->channel = std::move(channel);
  request->rows = content.rows;
  request->tail = {content.width};
  const auto values = static_cast<std::size_t>(content.rows * content.width);
  request->inputs.push_back(
      floats({content.rows, content.width}, std::vector<float>(values, content.value)));
  return request;
}

}  // namespace test
