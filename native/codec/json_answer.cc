// SPDX-License-Identifier: Apache-2.0
// The two forms of an answer.
#include "native/codec/json_answer.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/codec/json_request.h"
#include "native/codec/schema.h"
#include "native/codec/tensor_text.h"
#include "native/codec/text.h"

namespace infer::codec {
namespace {

constexpr std::size_t kFrameBytes = 128;  // of an answer beside its elements, about

}  // namespace

JsonAnswer::JsonAnswer(std::shared_ptr<const Schema> schema, AnswerPlan plan, std::size_t maxBytes)
    : schema_(std::move(schema)), plan_(plan), maxBytes_(maxBytes) {}

Result<EncodedText> JsonAnswer::write(const Outputs& outputs) const {
  if (outputs.empty()) {
    return Error{ErrorCode::kInternal, "model " + quote(schema_->name) + ": has no outputs", {}};
  }
  std::size_t bytes = 0;
  if (auto fits = checkSize(outputs, bytes); !fits.ok()) {
    return std::move(fits).error();
  }
  std::string out;
  out.reserve(bytes + kFrameBytes);
  if (plan_.form == kArray) {
    appendNested(out, outputs[0]);
  } else {
    if (auto fits = checkInstances(outputs); !fits.ok()) {
      return std::move(fits).error();
    }
    appendPredictions(out, outputs);
  }
  return EncodedText{.text = std::move(out)};
}

// Writing more would take a lane for long, or end in a string longer than JavaScript has.
Result<void> JsonAnswer::checkSize(const Outputs& outputs, std::size_t& bytes) const {
  const std::size_t shown = plan_.form == kArray ? 1 : outputs.size();
  for (std::size_t i = 0; i < shown; ++i) {
    bytes += textBytes(outputs[i]);
  }
  if (bytes <= maxBytes_) {
    return {};
  }
  return badInput(
      "body",
      "rows whose answer has at most " + std::to_string(maxBytes_) + " bytes (maxResponseBytes)",
      "rows whose answer has about " + std::to_string(bytes));
}

Result<void> JsonAnswer::checkInstances(const Outputs& outputs) const {
  for (const Tensor& output : outputs) {
    if (output.shape.empty()) {  // whatever the signature says, engines return what they like
      return badInput("instances", "a model whose outputs have an entry for each row",
                      "an output without an axis");
    }
    if (output.shape[0] != outputs[0].shape[0]) {
      return badInput("instances", "a model whose outputs have the same number of rows",
                      quote(schema_->name));
    }
  }
  const std::int64_t rows = outputs[0].shape[0];
  if (rows != plan_.rows) {
    return badInput(
        "instances", "a model whose outputs have a row for each",
        std::to_string(rows) + " rows for " + std::to_string(plan_.rows) + " instances");
  }
  return {};
}

// A row is the value of the only output, else an object of all.
void JsonAnswer::appendPredictions(std::string& out, const Outputs& outputs) const {
  out += R"({"predictions":[)";
  for (std::int64_t row = 0; row < plan_.rows; ++row) {
    out += row == 0 ? "" : ",";
    if (outputs.size() == 1) {
      appendRow(out, outputs[0], row);
      continue;
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      out += i == 0 ? '{' : ',';
      appendQuoted(out, schema_->outputs[i].name);
      out += ':';
      appendRow(out, outputs[i], row);
    }
    out += '}';
  }
  out += "]}";
}

}  // namespace infer::codec
