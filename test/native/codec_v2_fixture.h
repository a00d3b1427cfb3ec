// SPDX-License-Identifier: Apache-2.0
// Requests of the Open Inference Protocol, put together, read and answered by a model that gives
// its inputs back.
// Threads: any.
#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/codec/json_request.h"
#include "native/codec/schema.h"
#include "native/codec/v2_request.h"
#include "test/native/codec_fixture.h"

namespace test {

// All of a literal, NUL included.
template <std::size_t kSize>
std::string bytes(const char (&literal)[kSize]) {
  return {literal, kSize - 1};
}

inline constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

// A batchable model like `schema` with at most 8 rows a request.
inline SchemaPtr batchable(const SchemaPtr& schema) {
  infer::codec::Schema copy = *schema;
  copy.batchable = true;
  copy.maxRows = 8;
  return std::make_shared<const infer::codec::Schema>(std::move(copy));
}

inline infer::Result<infer::codec::JsonRequest> readV2(std::string_view body,
                                                       std::optional<std::size_t> headerBytes,
                                                       const SchemaPtr& schema) {
  // A copy of exactly that size, so that a sanitizer sees what is read behind its end.
  const std::vector<char> bytes(body.begin(), body.end());
  return infer::codec::readV2({bytes.data(), bytes.size()}, schema,
                              {.headerBytes = headerBytes, .maxResponseBytes = kNoLimit});
}

// What a model answers that gives its inputs back, or why the request is refused.
inline infer::EncodedText echo(const infer::Result<infer::codec::JsonRequest>& read) {
  if (!read.ok()) {
    return {.text = read.error().message};
  }
  auto written = read.value().answer->write(read.value().inputs);
  return written.ok() ? std::move(written).value()
                      : infer::EncodedText{.text = written.error().message};
}

inline std::string echoJson(std::string_view body, const SchemaPtr& schema) {
  return echo(readV2(body, std::nullopt, schema)).text;
}

// `json` with `chunks` behind it.
inline infer::EncodedText echoBinary(const std::string& json, const std::string& chunks,
                                     const SchemaPtr& schema) {
  return echo(readV2(json + chunks, json.size(), schema));
}

inline std::string input(const std::string& name, const std::string& datatype,
                         const std::string& shape, const std::string& rest) {
  return R"({"name":")" + name + R"(","shape":)" + shape + R"(,"datatype":")" + datatype + R"(",)" +
         rest + "}";
}

inline std::string binary(std::size_t bytes) {
  return R"("parameters":{"binary_data_size":)" + std::to_string(bytes) + "}";
}

inline std::string request(const std::string& inputs, const std::string& rest = "") {
  return R"({"inputs":[)" + inputs + "]" + rest + "}";
}

}  // namespace test
