// SPDX-License-Identifier: Apache-2.0
// The rules of turns.h.
#include "native/scheduler/turns.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>

#include "native/base/clock.h"

namespace infer {
namespace {

bool goesBefore(const Contender& one, const Contender& other) {
  return one.deadline != other.deadline ? one.deadline < other.deadline
                                        : one.share->used < other.share->used;
}

std::optional<std::size_t> mostUrgent(std::span<const Contender> contenders, TimeNs granted) {
  std::optional<std::size_t> best;
  for (std::size_t at = 0; at < contenders.size(); ++at) {
    const bool inTurn = contenders[at].share->used < granted;
    if (inTurn && (!best || goesBefore(contenders[at], contenders[*best]))) {
      best = at;
    }
  }
  return best;
}

}  // namespace

std::size_t Turns::next(std::span<const Contender> contenders) {
  TimeNs least = kNever;
  for (const Contender& contender : contenders) {
    TimeNs& used = contender.share->used;
    used = std::max(used, granted_ - kQuantum);
    least = std::min(least, used);
  }
  if (least >= granted_) {
    granted_ = least + kQuantum;  // as many rounds at once as it takes
  }
  return mostUrgent(contenders, granted_).value_or(0);
}

void Turns::charge(Share& share, TimeNs time) {
  share.used += time;
  mostUsed_ = std::max(mostUsed_, share.used);
}

void Turns::rest() {
  granted_ = std::max(granted_, mostUsed_ + kQuantum);
}

}  // namespace infer
