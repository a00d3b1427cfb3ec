// SPDX-License-Identifier: Apache-2.0
// JSON and raw tensors of an answer in one text.
#include "native/codec/v2_answer.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/codec/binary.h"
#include "native/codec/classes.h"
#include "native/codec/schema.h"
#include "native/codec/tensor_text.h"
#include "native/codec/text.h"
#include "native/codec/utf8.h"

namespace infer::codec {
namespace {

constexpr std::size_t kFrameBytes = 128;   // of an answer beside its outputs, about
constexpr std::size_t kOutputBytes = 192;  // of an output beside its elements, about

// Where the first raw tensor begins is a multiple of this, so that clients can use it in place.
constexpr std::size_t kAlignment = 64;

std::span<const std::string> labelsOf(const Schema& schema, std::size_t output) {
  return output < schema.labels.size() ? std::span<const std::string>(schema.labels[output])
                                       : std::span<const std::string>();
}

bool isText(const Tensor& tensor) {
  return std::ranges::all_of(tensor.strings, [](const std::string& text) { return isUtf8(text); });
}

}  // namespace

V2Answer::V2Answer(std::shared_ptr<const Schema> schema, V2Plan plan, std::size_t maxBytes)
    : schema_(std::move(schema)), plan_(std::move(plan)), maxBytes_(maxBytes) {
  if (plan_.outputs.empty()) {
    for (std::size_t i = 0; i < schema_->outputs.size(); ++i) {
      plan_.outputs.push_back({.index = i});
    }
  }
}

Result<EncodedText> V2Answer::write(const Outputs& outputs) const {
  if (outputs.empty()) {
    return Error{ErrorCode::kInternal, "model " + quote(schema_->name) + ": has no outputs", {}};
  }
  std::vector<Tensor> made;  // never grows beyond this, so that pointers into it stay
  made.reserve(plan_.outputs.size());
  std::vector<const Tensor*> shown;
  for (const auto& [index, isBinary, classes] : plan_.outputs) {
    shown.push_back(&outputs[index]);
    if (classes > 0) {
      auto best = bestClasses(
          outputs[index],
          {.count = classes, .inRows = schema_->batchable, .labels = labelsOf(*schema_, index)});
      if (!best.ok()) {
        return std::move(best).error();
      }
      shown.back() = &made.emplace_back(std::move(best).value());
    }
  }
  if (auto fits = check(shown); !fits.ok()) {
    return std::move(fits).error();
  }
  EncodedText answer{.text = header(shown)};
  const std::size_t jsonBytes = answer.text.size();
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (plan_.outputs[i].isBinary && binaryBytes(*shown[i]) > 0) {
      if (answer.headerBytes == 0) {
        answer.headerBytes = (jsonBytes + kAlignment - 1) / kAlignment * kAlignment;
        answer.text.append(answer.headerBytes - jsonBytes, ' ');
      }
      appendBinary(answer.text, *shown[i]);
    }
  }
  return answer;
}

// Writing more would take a lane for long, or end in a string longer than JavaScript has.
Result<void> V2Answer::check(const std::vector<const Tensor*>& shown) const {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const bool isBinary = plan_.outputs[i].isBinary;
    bytes += isBinary ? binaryBytes(*shown[i]) : textBytes(*shown[i]);
    if (plan_.isExact && !isBinary && !isText(*shown[i])) {
      return badInput("output " + quote(schema_->outputs[plan_.outputs[i].index].name),
                      "UTF-8 where the answer is JSON (ask for it with \"binary_data\": true)",
                      "bytes that are not UTF-8");
    }
  }
  if (bytes > maxBytes_) {
    return answerTooLarge(maxBytes_, bytes);
  }
  return {};
}

// The JSON, in a string with room for what follows.
std::string V2Answer::header(const std::vector<const Tensor*>& shown) const {
  std::string out;
  std::size_t bytes = kFrameBytes + kAlignment;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    bytes +=
        kOutputBytes + (plan_.outputs[i].isBinary ? binaryBytes(*shown[i]) : textBytes(*shown[i]));
  }
  out.reserve(bytes);
  out += R"({"model_name":)";
  appendQuoted(out, schema_->name);
  out += R"(,"model_version":)";
  appendQuoted(out, schema_->version);
  if (!plan_.id.empty()) {
    out += R"(,"id":)";
    appendQuoted(out, plan_.id);
  }
  out += R"(,"outputs":[)";
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const Tensor& output = *shown[i];
    out += i == 0 ? R"({"name":)" : R"(,{"name":)";
    appendQuoted(out, schema_->outputs[plan_.outputs[i].index].name);
    out += R"(,"datatype":")";
    out += datatypeOf(output.type);
    out += R"(","shape":[)";
    for (const std::int64_t size : output.shape) {
      out += out.back() == '[' ? "" : ",";
      out += std::to_string(size);
    }
    if (plan_.outputs[i].isBinary) {
      out += R"(],"parameters":{"binary_data_size":)";
      out += std::to_string(binaryBytes(output));
      out += "}}";
    } else {
      out += R"(],"data":)";
      appendFlat(out, output);
      out += '}';
    }
  }
  out += "]}";
  return out;
}

}  // namespace infer::codec
