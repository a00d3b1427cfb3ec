// SPDX-License-Identifier: Apache-2.0
// A straight line through (rows, time), by least squares with exponential forgetting.
#include "native/scheduler/estimate.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "native/base/clock.h"

namespace infer {
namespace {

constexpr double kMemory = 0.98;      // weight of the past per run: about the last 50 runs count
constexpr std::int64_t kEnough = 16;  // runs before the first word: the first ones warm up
constexpr double kOutlier = 4;        // times the expectation that a single run may count for
constexpr double kSameRows = 1e-6;    // relative spread of rows below which no slope can be seen

}  // namespace

void RunEstimate::add(std::int64_t rows, TimeNs time) {
  const TimeNs expected = of(rows);
  const std::lock_guard lock(mutex_);
  ++seen_;
  if (seen_ == kEnough) {
    runs_ = rows_ = times_ = rowsRows_ = rowsTimes_ = 0;  // the warm-up is over
  }
  const auto size = static_cast<double>(rows);
  auto taken = static_cast<double>(time);
  if (expected != kNever) {
    taken = std::min(taken, kOutlier * static_cast<double>(expected));
  }
  runs_ = runs_ * kMemory + 1;
  rows_ = rows_ * kMemory + size;
  times_ = times_ * kMemory + taken;
  rowsRows_ = rowsRows_ * kMemory + size * size;
  rowsTimes_ = rowsTimes_ * kMemory + size * taken;
  if (seen_ >= kEnough) {
    fit(rows);
  }
}

RunCost RunEstimate::cost() const {
  const Fit fit = fit_.load(std::memory_order_relaxed);
  if (fit.perRow < 0) {
    return {};
  }
  return {.known = true,
          .steady = steady_,
          .base = fit.base,
          .perRow = fit.perRow,
          .most = most_.load(std::memory_order_relaxed)};
}

void RunEstimate::fit(std::int64_t newest) {
  const double mean = times_ / runs_;
  const double spread = runs_ * rowsRows_ - rows_ * rows_;
  double slope = 0;
  if (spread > kSameRows * rows_ * rows_) {
    slope = std::max(0.0, (runs_ * rowsTimes_ - rows_ * times_) / spread);
    most_.store(std::max(most_.load(std::memory_order_relaxed), newest), std::memory_order_relaxed);
  } else {
    // All runs had the same rows: assume that time grows with them, but for single ones.
    slope = rows_ > runs_ ? times_ / rows_ : 0;
    most_.store(newest, std::memory_order_relaxed);
  }
  // A line never goes below zero, so the slope cannot exceed what the mean run allows.
  slope = rows_ > 0 ? std::min(slope, times_ / rows_) : 0;
  const double base = mean - slope * rows_ / runs_;
  fit_.store({.base = static_cast<float>(base), .perRow = static_cast<float>(slope)},
             std::memory_order_relaxed);
}

}  // namespace infer
