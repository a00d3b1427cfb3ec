// SPDX-License-Identifier: Apache-2.0
// From flat records to requests, and from answers to flat records.
#include "native/addon/flat.h"

#include <napi.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/scheduler/padding.h"
#include "native/scheduler/served_model.h"

namespace infer::addon {
namespace {

constexpr std::size_t kAlignment = 8;
constexpr std::size_t kWord = sizeof(std::int32_t);
constexpr std::size_t kHeadBytes = 8;
constexpr std::size_t kRecordHeadBytes = 16;
constexpr std::size_t kIdOffset = 8;  // in a record
// mostFlatBytes of lib/flat.ts.
constexpr std::size_t kMostFlatBytes = 1024;

constexpr std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) & ~(kAlignment - 1);
}

std::int32_t wordAt(std::span<const std::byte> bytes, std::size_t offset) {
  std::int32_t word = 0;
  std::memcpy(&word, bytes.data() + offset, kWord);
  return word;
}

void setWord(std::span<std::byte> bytes, std::size_t offset, std::size_t value) {
  const auto word = static_cast<std::int32_t>(value);
  std::memcpy(bytes.data() + offset, &word, kWord);
}

// Bytes of the records in a buffer; 0 when it says what cannot be.
std::size_t usedOf(std::span<const std::byte> buffer) {
  if (buffer.size() < kHeadBytes) {
    return 0;
  }
  const std::int32_t used = wordAt(buffer, 0);
  return used >= 0 && static_cast<std::size_t>(used) <= buffer.size() - kHeadBytes
             ? static_cast<std::size_t>(used)
             : 0;
}

Error notFlat(const TensorSpec& spec) {
  return {ErrorCode::kInternal, "input \"" + spec.name + "\": not a tensor in the flat form", {}};
}

// Takes one tensor from the front of `rest`.
Result<Tensor> readTensor(const TensorSpec& spec, std::span<const std::byte>& rest) {
  const std::size_t rank = spec.shape.size();
  const std::size_t head = aligned(kWord * (1 + rank));
  if (spec.type == ElementType::kString || rest.size() < head ||
      static_cast<std::size_t>(wordAt(rest, 0)) != rank) {
    return notFlat(spec);
  }
  Tensor tensor{.type = spec.type, .shape = Shape(rank), .bytes = {}, .strings = {}};
  for (std::size_t axis = 0; axis < rank; ++axis) {
    tensor.shape[axis] = wordAt(rest, kWord * (1 + axis));
  }
  if (auto fits = checkShape(spec, tensor.shape); !fits.ok()) {
    return std::move(fits).error();
  }
  const auto size = byteSize(spec.type, tensor.shape);
  if (!size.ok() || size.value() > rest.size() - head) {
    return notFlat(spec);
  }
  tensor.bytes = Bytes::allocate(size.value());
  std::memcpy(tensor.bytes.data(), rest.data() + head, size.value());
  rest = rest.subspan(std::min(head + aligned(size.value()), rest.size()));
  return tensor;
}

// Bytes of a record; 0 when it may not be one.
std::size_t sizeOf(const Reply& reply) {
  if (!reply.result.ok() || reply.encoded) {
    return 0;
  }
  std::size_t size = kRecordHeadBytes;
  std::size_t elementBytes = 0;
  for (const Tensor& output : reply.result.value()) {
    const auto fits = [](std::int64_t dim) {
      return dim <= std::numeric_limits<std::int32_t>::max();
    };
    if (output.type == ElementType::kString || !std::ranges::all_of(output.shape, fits)) {
      return 0;
    }
    elementBytes += output.bytes.size();
    size += aligned(kWord * (1 + output.shape.size())) + aligned(output.bytes.size());
  }
  return elementBytes <= kMostFlatBytes ? size : 0;
}

}  // namespace

std::span<std::byte> FlatBuffer::bytes() const {
  void* data = nullptr;
  std::size_t size = 0;
  if (!buffer_.IsEmpty()) {
    napi_get_arraybuffer_info(buffer_.Env(), buffer_.Value(), &data, &size);
  }
  return {static_cast<std::byte*>(data), size};
}

FlatReader::FlatReader(std::span<std::byte> buffer) : buffer_(buffer) {
  if (const std::size_t used = usedOf(buffer); used > 0) {
    rest_ = buffer.subspan(kHeadBytes, used);
  }
}

FlatReader::~FlatReader() {
  if (!rest_.empty()) {
    std::memmove(buffer_.data() + kHeadBytes, rest_.data(), rest_.size());
  }
  if (buffer_.size() >= kHeadBytes) {
    setWord(buffer_, 0, rest_.size());
  }
}

std::optional<FlatRequest> FlatReader::next() {
  rest_ = rest_.subspan(std::exchange(given_, 0));
  if (rest_.size() < kRecordHeadBytes) {
    rest_ = {};
    return std::nullopt;
  }
  const std::int32_t bytes = wordAt(rest_, 0);
  double id = 0;
  std::memcpy(&id, rest_.data() + kIdOffset, sizeof(id));
  constexpr double kMaxSafeInteger = 9007199254740991.0;  // 2^53 - 1
  const bool whole = id >= 0 && id <= kMaxSafeInteger && id == std::floor(id);
  if (!whole || bytes < static_cast<std::int32_t>(kRecordHeadBytes) ||
      static_cast<std::size_t>(bytes) > rest_.size()) {
    rest_ = {};
    return std::nullopt;
  }
  const auto size = static_cast<std::size_t>(bytes);
  const FlatRequest record{.id = static_cast<std::uint64_t>(id),
                           .model = wordAt(rest_, kWord),
                           .tensors = rest_.subspan(kRecordHeadBytes, size - kRecordHeadBytes)};
  given_ = size;
  return record;
}

Result<std::unique_ptr<Request>> readFlatRequest(const ServedModel& model,
                                                 const FlatRequest& record) {
  auto request = std::make_unique<Request>();
  request->id = record.id;
  request->inputs.reserve(model.signature.inputs.size());
  std::span<const std::byte> rest = record.tensors;
  for (const TensorSpec& spec : model.signature.inputs) {
    auto tensor = readTensor(spec, rest);
    if (!tensor.ok()) {
      return std::move(tensor).error();
    }
    request->inputs.push_back(std::move(tensor).value());
  }
  if (model.queue.limits().batchable) {
    if (auto measured = measure(*request, model.signature, model.padding); !measured.ok()) {
      return std::move(measured).error();
    }
  }
  return request;
}

FlatWriter::FlatWriter(std::span<std::byte> buffer) {
  if (buffer.size() >= kHeadBytes && wordAt(buffer, 0) == 0) {
    buffer_ = buffer;
  }
}

bool FlatWriter::add(const Reply& reply) {
  const std::size_t size = sizeOf(reply);
  if (size == 0 || buffer_.size() < kHeadBytes + used_ + size) {
    return false;
  }
  std::span<std::byte> record = buffer_.subspan(kHeadBytes + used_, size);
  const auto id = static_cast<double>(reply.id);
  setWord(record, 0, size);
  setWord(record, kWord, 0);
  std::memcpy(record.data() + kIdOffset, &id, sizeof(id));
  record = record.subspan(kRecordHeadBytes);
  for (const Tensor& output : reply.result.value()) {
    setWord(record, 0, output.shape.size());
    for (std::size_t axis = 0; axis < output.shape.size(); ++axis) {
      setWord(record, kWord * (1 + axis), static_cast<std::size_t>(output.shape[axis]));
    }
    const std::size_t head = aligned(kWord * (1 + output.shape.size()));
    if (output.bytes.size() > 0) {
      std::memcpy(record.data() + head, output.bytes.data(), output.bytes.size());
    }
    record = record.subspan(head + aligned(output.bytes.size()));
  }
  used_ += size;
  setWord(buffer_, 0, used_);
  return true;
}

}  // namespace infer::addon
