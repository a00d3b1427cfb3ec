// SPDX-License-Identifier: Apache-2.0
// Whose turn it is among the models of one lane: deficit round robin in measured device time; among
// those in turn the earliest deadline, then whoever has used least. No clock, no lock, no lane.
// Threads: none of its own; what belongs to a lane is used by the lane's thread.
#pragma once

#include <cstddef>
#include <span>

#include "native/base/clock.h"

namespace infer {

// Device time a model may use in one round. Long against the run of a micro model, so that
// deadlines have some to choose among; short against what a caller notices.
inline constexpr TimeNs kQuantum = 1'000'000;

// What one model has used of a lane, on a scale that all models of the lane share: there, each of
// them could have used as much as the rounds so far have granted. Whoever is below is in turn.
struct Share {
  TimeNs used = 0;
};

// A model that has something waiting.
struct Contender {
  Share* share = nullptr;    // borrowed
  TimeNs deadline = kNever;  // of its oldest request
  std::size_t place = 0;     // the caller's own; not looked at
};

// The cost of a run is known only afterwards, so a model in turn may overdraw by one run, and makes
// up for it in the rounds that follow. From this, a model in turn waits at most for a quantum and
// one run of each other model. What was not used in a round is lost with it: a model that was idle
// for long comes back with one quantum.
class Turns {
 public:
  // Position of the one that is served next, of at least one; the first of those that are equal.
  // Where nobody is in turn, a new round begins. Whoever has used least goes first where no
  // deadline decides: models would otherwise go round run by run until the quantum of the costliest
  // is used up, which then waits for what is left of everybody else's.
  std::size_t next(std::span<const Contender> contenders);

  // A run of that model took `time`: of a lane that computes itself its own CPU time, so that what
  // a run waits for (page faults, files) is not charged; that fits CPU devices only.
  void charge(Share& share, TimeNs time);

  // Nothing waits: what somebody has overdrawn has cost nobody anything, and is forgiven.
  void rest();

 private:
  TimeNs granted_ = kQuantum;  // by all rounds, to each model
  TimeNs mostUsed_ = 0;        // of all shares
};

}  // namespace infer
