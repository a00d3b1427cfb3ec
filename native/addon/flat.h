// SPDX-License-Identifier: Apache-2.0
// Small requests and answers as bytes in one buffer that lib and addon share: crossing once for
// many costs each less.
// Threads: js.
//
// Layout, as in lib/flat.ts:
//   buffer: bytes of the records that follow (int32), 4 bytes of nothing, records
//   record: its bytes (int32), number of the model or 0 for an answer (int32), id (float64), then
//           its tensors
//   tensor: rank and dims (int32), from the next multiple of 8 on its elements
// Tensors and records end at a multiple of 8. Who reads the records sets their bytes to 0; until
// then one may append requests, but no answers.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/scheduler/served_model.h"

namespace infer::addon {

// Keeps a buffer of JS alive. Without one bytes() is empty, and so it is when JS has given the
// memory of the buffer away.
class FlatBuffer {
 public:
  FlatBuffer() = default;
  FlatBuffer(const FlatBuffer&) = delete;
  FlatBuffer& operator=(const FlatBuffer&) = delete;

  void keep(Napi::ArrayBuffer buffer) { buffer_ = Napi::Persistent(buffer); }
  void drop() { buffer_.Reset(); }
  // Valid until JS runs again.
  std::span<std::byte> bytes() const;

 private:
  Napi::Reference<Napi::ArrayBuffer> buffer_;
};

struct FlatRequest {
  std::uint64_t id = 0;
  std::int32_t model = 0;
  std::span<const std::byte> tensors;
};

// Takes requests out of a buffer. Whoever wrote it may have written anything: nothing is read that
// lies outside.
class FlatReader {
 public:
  explicit FlatReader(std::span<std::byte> buffer);
  // Leaves in the buffer what has not been dealt with, because memory ran out: mostly nothing.
  ~FlatReader();
  FlatReader(const FlatReader&) = delete;
  FlatReader& operator=(const FlatReader&) = delete;

  // None after the last one, nor after one that is no record. The one before has been dealt with.
  std::optional<FlatRequest> next();

 private:
  const std::span<std::byte> buffer_;
  std::span<const std::byte> rest_;
  std::size_t given_ = 0;  // bytes of the record that next() returned last
};

// The request but for its channel; its tensors are copied.
Result<std::unique_ptr<Request>> readFlatRequest(const ServedModel& model,
                                                 const FlatRequest& record);

// Puts answers into a buffer.
class FlatWriter {
 public:
  // What has not been read yet leaves no room.
  explicit FlatWriter(std::span<std::byte> buffer);
  // False, and nothing is written, for one that has to go another way: an error, a text, strings,
  // too large, or the buffer is full.
  bool add(const Reply& reply);

 private:
  std::span<std::byte> buffer_;  // empty when nothing may be written
  std::size_t used_ = 0;
};

}  // namespace infer::addon
