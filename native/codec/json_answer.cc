// SPDX-License-Identifier: Apache-2.0
// Nested arrays, and entries row by row.
#include "native/codec/json_answer.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/codec/answer.h"
#include "native/codec/schema.h"
#include "native/codec/tensor_text.h"
#include "native/codec/text.h"

namespace infer::codec {
namespace {

constexpr std::size_t kFrameBytes = 128;  // of an answer beside its elements, about

}  // namespace

JsonAnswer::JsonAnswer(std::shared_ptr<const Schema> schema, const AnswerPlan& plan, Format format,
                       std::size_t maxBytes)
    : schema_(std::move(schema)),
      form_(plan.form),
      rows_(plan.rows),
      outputs_(outputsOf(plan, *schema_)),
      format_(format),
      maxBytes_(maxBytes) {
  if (form_ == kArray) {
    outputs_.resize(1);
  }
}

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
  const bool byRow = format_ == Format::kLines || form_ == kInstances || form_ == kLines;
  if (byRow) {
    if (auto fits = checkRows(outputs); !fits.ok()) {
      return std::move(fits).error();
    }
  }
  if (format_ == Format::kLines) {
    appendLines(out, outputs);
  } else if (byRow) {
    appendPredictions(out, outputs);
  } else if (outputs_.size() == 1) {
    appendNested(out, outputs[outputs_[0]]);
  } else {
    appendNamed(out, outputs);
  }
  return EncodedText{.text = std::move(out)};
}

// Writing more would take a lane for long, or end in a string longer than JavaScript has.
Result<void> JsonAnswer::checkSize(const Outputs& outputs, std::size_t& bytes) const {
  for (const std::size_t at : outputs_) {
    bytes += textBytes(outputs[at]);
  }
  if (bytes <= maxBytes_) {
    return {};
  }
  return answerTooLarge(maxBytes_, bytes);
}

// Whether every output has an entry for each row of the request, where that has rows.
Result<void> JsonAnswer::checkRows(const Outputs& outputs) const {
  const bool counted = form_ == kInstances || form_ == kLines;
  const char* const where = counted ? "instances" : "outputs";
  const Tensor& first = outputs[outputs_[0]];
  for (const std::size_t at : outputs_) {
    if (outputs[at].shape.empty()) {  // whatever the signature says, engines return what they like
      return badInput(where, "a model whose outputs have an entry for each row",
                      "an output without an axis");
    }
    if (outputs[at].shape[0] != first.shape[0]) {
      return badInput(where, "a model whose outputs have the same number of rows",
                      quote(schema_->name));
    }
  }
  const std::int64_t rows = first.shape[0];
  if (counted && rows != rows_) {
    return badInput(where, "a model whose outputs have a row for each",
                    std::to_string(rows) + " rows for " + std::to_string(rows_) + " instances");
  }
  return {};
}

// The value of the only output, else an object of all.
void JsonAnswer::appendPrediction(std::string& out, const Outputs& outputs,
                                  std::int64_t row) const {
  if (outputs_.size() == 1) {
    appendRow(out, outputs[outputs_[0]], row);
    return;
  }
  bool first = true;
  for (const std::size_t at : outputs_) {
    out += std::exchange(first, false) ? '{' : ',';
    appendQuoted(out, schema_->outputs[at].name);
    out += ':';
    appendRow(out, outputs[at], row);
  }
  out += '}';
}

void JsonAnswer::appendPredictions(std::string& out, const Outputs& outputs) const {
  out += R"({"predictions":[)";
  for (std::int64_t row = 0; row < rows_; ++row) {
    out += row == 0 ? "" : ",";
    appendPrediction(out, outputs, row);
  }
  out += "]}";
}

void JsonAnswer::appendLines(std::string& out, const Outputs& outputs) const {
  for (std::int64_t row = 0; row < outputs[outputs_[0]].shape[0]; ++row) {
    appendPrediction(out, outputs, row);
    out += '\n';
  }
}

void JsonAnswer::appendNamed(std::string& out, const Outputs& outputs) const {
  bool first = true;
  for (const std::size_t at : outputs_) {
    out += std::exchange(first, false) ? '{' : ',';
    appendQuoted(out, schema_->outputs[at].name);
    out += ':';
    appendNested(out, outputs[at]);
  }
  out += '}';
}

}  // namespace infer::codec
