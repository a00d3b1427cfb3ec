// SPDX-License-Identifier: Apache-2.0
// What fits into each kind of file, and its parts in their order.
#include "native/codec/file_answer.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/codec/answer.h"
#include "native/codec/npy.h"
#include "native/codec/schema.h"
#include "native/codec/stored_zip.h"
#include "native/codec/tensor_text.h"
#include "native/codec/text.h"

namespace infer::codec {
namespace {

std::string csvOf(const Tensor& tensor) {
  std::string out;
  out.reserve(textBytes(tensor));
  for (std::int64_t row = 0; row < tensor.shape[0]; ++row) {
    appendCsvRow(out, tensor, row);
    out += '\n';
  }
  return out;
}

std::string npyOf(const Tensor& tensor) {
  std::string out;
  out.reserve(npyBytes(tensor));
  appendNpy(out, tensor);
  return out;
}

}  // namespace

FileAnswer::FileAnswer(std::shared_ptr<const Schema> schema, const AnswerPlan& plan, Format format,
                       std::size_t maxBytes)
    : schema_(std::move(schema)),
      outputs_(outputsOf(plan, *schema_)),
      format_(format),
      maxBytes_(maxBytes) {
  if (format_ != Format::kNpz && outputs_.size() > 1) {
    outputs_ = {outputs_.front()};
  }
}

Result<void> FileAnswer::check(const Outputs& outputs) const {
  std::size_t bytes = 0;
  for (const std::size_t at : outputs_) {
    const Tensor& output = outputs[at];
    const std::string name = "output " + quote(schema_->outputs[at].name);
    if (format_ == Format::kCsv && (output.shape.empty() || output.shape.size() > 2)) {
      return badInput(name, "one or two axes, which is what CSV has",
                      "shape " + dimsText(output.shape));
    }
    if (format_ != Format::kCsv && output.type == ElementType::kString) {
      return badInput(name, "numbers, which is what NPY holds here", "strings");
    }
    bytes += format_ == Format::kCsv ? textBytes(output) : npyBytes(output);
  }
  if (bytes > maxBytes_) {
    return answerTooLarge(maxBytes_, bytes);
  }
  return {};
}

Result<EncodedText> FileAnswer::write(const Outputs& outputs) const {
  if (outputs_.empty() || outputs.size() != schema_->outputs.size()) {
    return Error{ErrorCode::kInternal, "model " + quote(schema_->name) + ": has no outputs", {}};
  }
  if (auto fits = check(outputs); !fits.ok()) {
    return std::move(fits).error();
  }
  const Tensor& first = outputs[outputs_[0]];
  if (format_ == Format::kCsv) {
    return EncodedText{.text = csvOf(first)};
  }
  if (format_ == Format::kNpy) {
    return EncodedText{.text = npyOf(first)};
  }
  StoredZip zip;
  for (const std::size_t at : outputs_) {
    if (!zip.add(schema_->outputs[at].name + ".npy", npyOf(outputs[at]))) {
      return answerTooLarge(kMostZipBytes, zip.bytes());
    }
  }
  return EncodedText{.text = std::move(zip).finish()};
}

}  // namespace infer::codec
