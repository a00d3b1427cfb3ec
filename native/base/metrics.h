// SPDX-License-Identifier: Apache-2.0
// Counters and histograms of one model.
// Threads: written by lanes and submitters, read by anyone. Every field is a relaxed atomic: a
// reader may see one counter a moment before another, never a torn one, and nothing is ordered by
// them.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"

namespace infer {

// Upper bounds in nanoseconds: 10 us to 10 s in steps of about 2.5.
inline constexpr std::array<std::int64_t, 19> kSecondsBounds = {
    10'000,        25'000,        50'000,        100'000,       250'000,
    500'000,       1'000'000,     2'500'000,     5'000'000,     10'000'000,
    25'000'000,    50'000'000,    100'000'000,   250'000'000,   500'000'000,
    1'000'000'000, 2'500'000'000, 5'000'000'000, 10'000'000'000};
// Upper bounds in rows.
inline constexpr std::array<std::int64_t, 11> kRowsBounds = {1,  2,   4,   8,   16,  32,
                                                             64, 128, 256, 512, 1024};

// A histogram over bounds that live for the whole program; the last count is for what exceeds them.
class Histogram {
 public:
  static constexpr std::size_t kMaxBounds = kSecondsBounds.size();

  explicit Histogram(std::span<const std::int64_t> bounds) : bounds_(bounds) {}
  void add(std::int64_t value);

  std::span<const std::int64_t> bounds() const { return bounds_; }
  std::uint64_t count(std::size_t bucket) const {
    return counts_[bucket].load(std::memory_order_relaxed);
  }
  std::int64_t sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::span<const std::int64_t> bounds_;
  std::array<std::atomic<std::uint64_t>, kMaxBounds + 1> counts_{};
  std::atomic<std::int64_t> sum_{0};
};

// The runs of one number of rows.
struct RunsOfRows {
  std::atomic<std::uint64_t> runs{0};
  std::atomic<TimeNs> time{0};
};

class Metrics {
 public:
  // `mostRows`: of a run; each number of them is counted for itself.
  explicit Metrics(std::int64_t mostRows = 1) : byRows_(static_cast<std::size_t>(mostRows) + 1) {}

  void accepted(std::uint64_t requests) {
    requests_.fetch_add(requests, std::memory_order_relaxed);
  }
  // `spent`: by these requests together.
  void completed(std::uint64_t requests, const StageTimes& spent);
  void failed(ErrorCode code) {
    errors_[static_cast<std::size_t>(code)].fetch_add(1, std::memory_order_relaxed);
  }
  void waited(TimeNs queueTime) { queueTime_.add(queueTime); }
  void parsed(TimeNs time) { parseTime_.add(time); }
  void formatted(TimeNs time) { formatTime_.add(time); }
  void hung() { hung_.fetch_add(1, std::memory_order_relaxed); }
  // `padding`: rows that the run had beside `rows`, for the size of a bucket.
  void ran(std::int64_t rows, std::int64_t padding, TimeNs runTime);

  std::uint64_t requestCount() const { return requests_.load(std::memory_order_relaxed); }
  std::uint64_t completedCount() const { return completed_.load(std::memory_order_relaxed); }
  std::uint64_t batchCount() const { return batches_.load(std::memory_order_relaxed); }
  std::uint64_t rowCount() const { return rows_.load(std::memory_order_relaxed); }
  std::uint64_t hungCount() const { return hung_.load(std::memory_order_relaxed); }
  std::uint64_t paddedRowCount() const { return paddedRows_.load(std::memory_order_relaxed); }
  StageTimes spent() const;
  // Milliseconds since 1970, of the last run; 0 before it.
  std::int64_t lastRunMs() const { return lastRunMs_.load(std::memory_order_relaxed); }
  // By their rows; those beyond `mostRows` are with the last.
  const std::vector<RunsOfRows>& byRows() const { return byRows_; }
  std::uint64_t errorCount(std::size_t code) const {
    return errors_[code].load(std::memory_order_relaxed);
  }
  const Histogram& queueTime() const { return queueTime_; }
  const Histogram& runTime() const { return runTime_; }
  const Histogram& parseTime() const { return parseTime_; }
  const Histogram& formatTime() const { return formatTime_; }
  const Histogram& batchRows() const { return batchRows_; }

 private:
  std::atomic<std::uint64_t> requests_{0};    // accepted into the queue
  std::atomic<std::uint64_t> completed_{0};   // answered with outputs
  std::atomic<std::uint64_t> batches_{0};     // runs of the engine
  std::atomic<std::uint64_t> rows_{0};        // rows of all runs, without padding
  std::atomic<std::uint64_t> paddedRows_{0};  // rows of padding of all runs
  std::atomic<std::uint64_t> hung_{0};        // runs whose thread was given up
  std::array<std::atomic<std::uint64_t>, kErrorCodeCount> errors_{};
  struct {
    std::atomic<TimeNs> parse{0};
    std::atomic<TimeNs> queue{0};
    std::atomic<TimeNs> run{0};
    std::atomic<TimeNs> format{0};
  } spent_;  // by requests that were answered with outputs
  std::atomic<std::int64_t> lastRunMs_{0};
  std::vector<RunsOfRows> byRows_;
  Histogram queueTime_{kSecondsBounds};
  Histogram runTime_{kSecondsBounds};
  Histogram parseTime_{kSecondsBounds};   // of requests that came as bytes
  Histogram formatTime_{kSecondsBounds};  // of their answers
  Histogram batchRows_{kRowsBounds};
};

}  // namespace infer
