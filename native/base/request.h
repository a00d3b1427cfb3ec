// SPDX-License-Identifier: Apache-2.0
// Request: the inputs of one caller, its deadline, and where the answer goes.
// Threads: made on a JS thread, moved to the scheduler by submit, answered on a lane or by whoever
// removes it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/tensor.h"

namespace infer {

using Outputs = std::vector<Tensor>;  // in the order of the signature

// What a request has spent its time on.
struct StageTimes {
  TimeNs parse = 0;   // making tensors of bytes, with the wait for a thread that does
  TimeNs queue = 0;   // from acceptance to the start of its run
  TimeNs run = 0;     // of the engine, together with the requests beside it
  TimeNs format = 0;  // making bytes of tensors
};

struct EncodedText {
  std::string text;
  std::size_t headerBytes = 0;  // of JSON in front of raw tensors; 0: there are none
};

// The answer of a request whose caller sent bytes and wants bytes. Made with the request; it goes
// with it to whoever has its outputs, is written there, so that no event loop has to, and goes back
// with its reply.
class EncodedAnswer {
 public:
  virtual ~EncodedAnswer() = default;
  // thread: any. Fails when the outputs cannot be an answer; the others of its batch are not
  // concerned.
  virtual Result<EncodedText> write(const Outputs& outputs) const = 0;

  bool written = false;  // write() was called, whatever came of it
  EncodedText finished;  // as written, once the request has succeeded
  StageTimes times;
  bool timed = false;  // its caller asked for the times
};

struct Reply {
  std::uint64_t id = 0;
  Result<Outputs> result;                  // without outputs when there is a text
  std::unique_ptr<EncodedAnswer> encoded;  // of a request that had one
};

// Takes answers back to whoever asked; one per JS environment.
class ReplyChannel {
 public:
  virtual ~ReplyChannel() = default;
  // thread: any. All replies that became ready together, so that the receiver wakes once.
  // Must not call back into the scheduler. A closed channel drops them.
  virtual void deliver(std::vector<Reply> replies) = 0;
};

struct Whole;  // native/scheduler/parts.h

struct Request {
  std::uint64_t id = 0;  // unique within its channel
  // Shared by every request of an environment and the environment itself: a worker may end while
  // a lane still runs its request.
  std::shared_ptr<ReplyChannel> channel;
  std::vector<Tensor> inputs;  // in the order of the signature, checked against it
  std::int64_t rows = 1;       // axis 0 of the inputs of a batchable model, else 1
  TimeNs deadline = kNever;
  TimeNs arrived = 0;  // set by the queue
  Shape tail;     // every axis of every input but axis 0 and those that are padded: requests with
                  // equal tails can share a batch
  Shape lengths;  // of the axes that are padded to those of others; see native/scheduler/padding.h
  // Of a request with more rows than a run takes: what its parts share, null until the first is
  // taken, and how many of the caller's rows come before the rows of this one.
  std::shared_ptr<Whole> whole;
  std::int64_t offset = 0;
  TimeNs waited = 0;  // before its run; of a request in parts, before that of its first
  TimeNs ran = 0;     // of a request in parts, the sum over them
  // Null for a caller that takes tensors, and for all parts but the one that is answered.
  std::unique_ptr<EncodedAnswer> encoded;
  // Answered before its run ended (cancelled or late). Written under the mutex of its queue; its
  // lane also looks without, relaxed: only to save itself work that nobody waits for.
  std::atomic<bool> abandoned{false};
  Result<Outputs> result =
      Outputs{};  // written by whoever ends the request, then moved into its Reply
};

// Rows of several requests whose other axes agree, packed into one tensor per input.
struct Batch {
  std::vector<Tensor> inputs;
  std::int64_t rows = 0;
};

}  // namespace infer
