// SPDX-License-Identifier: Apache-2.0
// Requests that come as the bytes of a body: JSON, JSON Lines, CSV.
// Threads: js, unless a function says otherwise.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/request.h"
#include "native/codec/json_request.h"
#include "native/codec/schema.h"
#include "native/codec/v2_request.h"
#include "native/scheduler/served_model.h"

namespace infer::addon {

// A body of which more bytes have to be read is read on another thread: reading it takes longer
// than the event loop may stand still. Ten nanoseconds a byte, the worst that was measured, make
// this half a millisecond.
inline constexpr std::size_t kMostReadHere = 65'536;

// What a call of submitJson() says beside the body.
struct JsonCall {
  std::uint64_t id = 0;
  TimeNs arrived = 0;
  TimeNs deadline = kNever;
  bool timed = false;
  codec::JsonOptions options;
  std::optional<codec::V2Options> v2;  // counts instead, for what clients of Triton send
};

// How much of the body has to be read; raw tensors are only copied.
std::size_t readBytes(std::string_view body, const codec::Schema& schema, const JsonCall& call);

// Of { name, version, maxRows, maxRowsKey, shapes, labels }: see lib/binding.ts.
std::shared_ptr<const codec::Schema> toSchema(const ServedModel& model,
                                              const Napi::Object& description);

// The bytes of a Uint8Array, valid until JS runs again.
struct BodyBytes {
  std::string_view bytes;
  bool isShared = false;  // of a SharedArrayBuffer: other threads may write to them meanwhile
};
Result<BodyBytes> bytesOf(const Napi::Value& value);

// The request but for its channel; nothing of `body` is kept. thread: any.
Result<std::unique_ptr<Request>> readJsonRequest(const ServedModel& model,
                                                 const std::shared_ptr<const codec::Schema>& schema,
                                                 std::string_view body, const JsonCall& call);

}  // namespace infer::addon
