// SPDX-License-Identifier: Apache-2.0
// A row of things in order, added at the end and mostly taken from the front: a vector whose front
// can go without moving the rest. Threads: none of its own.
#pragma once

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace infer {

template <typename T>
class Line {
 public:
  std::size_t size() const { return all_.size() - gone_; }
  bool empty() const { return size() == 0; }
  T& operator[](std::size_t at) { return all_[gone_ + at]; }
  const T& operator[](std::size_t at) const { return all_[gone_ + at]; }
  T* begin() { return all_.data() + gone_; }
  T* end() { return all_.data() + all_.size(); }

  void push_back(T value) { all_.push_back(std::move(value)); }
  void clear() {
    all_.clear();
    gone_ = 0;
  }

  // Drops what is at `positions`, ascending. Moves what is before the last of them or what is after
  // the first of them, whichever is less.
  void erase(std::span<const std::size_t> positions) {
    if (positions.empty()) {
      return;
    }
    if (positions.back() < size() - positions.front()) {
      closeBackwards(positions);
    } else {
      closeForwards(positions);
    }
  }

 private:
  void closeForwards(std::span<const std::size_t> positions) {
    auto next = positions.begin();
    std::size_t to = *next;
    for (std::size_t at = to; at < size(); ++at) {
      if (next != positions.end() && *next == at) {
        ++next;
      } else {
        (*this)[to++] = std::move((*this)[at]);
      }
    }
    all_.resize(gone_ + to);
  }

  void closeBackwards(std::span<const std::size_t> positions) {
    auto next = positions.rbegin();
    std::size_t to = *next + 1;
    for (std::size_t at = to; at-- > 0;) {
      if (next != positions.rend() && *next == at) {
        ++next;
      } else {
        (*this)[--to] = std::move((*this)[at]);
      }
    }
    gone_ += to;
    if (2 * gone_ > all_.size()) {  // as many were taken since the last time as are moved now
      all_.erase(all_.begin(), all_.begin() + static_cast<std::ptrdiff_t>(gone_));
      gone_ = 0;
    }
  }

  std::vector<T> all_;
  std::size_t gone_ = 0;  // at the front, already taken
};

}  // namespace infer
