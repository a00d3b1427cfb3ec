// SPDX-License-Identifier: Apache-2.0
// One walk over the JSON, then names, parameters, tensors and rows, in the order in which Triton
// checks them.
#include "native/codec/v2_request.h"

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/cursor.h"
#include "native/codec/json_request.h"
#include "native/codec/raw_request.h"
#include "native/codec/schema.h"
#include "native/codec/syntax.h"
#include "native/codec/text.h"
#include "native/codec/v2_answer.h"
#include "native/codec/v2_entries.h"
#include "native/codec/v2_parameters.h"
#include "native/codec/v2_tensors.h"
#include "native/codec/v2_words.h"

namespace infer::codec {
namespace {

class V2Reader {
 public:
  V2Reader(std::string_view body, const std::shared_ptr<const Schema>& schema,
           const V2Options& options)
      : text_(body.substr(0, options.headerBytes.value_or(body.size()))),
        chunks_(body.substr(text_.size())),
        schema_(schema),
        maxResponseBytes_(options.maxResponseBytes),
        entries_(Cursor(text_, 0, Numbers::kWithWords), *schema, body.size()) {}

  Result<JsonRequest> read() {
    if (!walk()) {
      return mistakeIn(text_, Numbers::kWithWords);
    }
    if (top_ != Kind::kObject) {
      return badInput("body", "an object with \"inputs\"", describe(cursorAt(0)));
    }
    V2Plan plan{.id = {}, .outputs = {}, .isExact = true};
    for (const auto step : {&V2Reader::readId, &V2Reader::readParameters, &V2Reader::findInputs,
                            &V2Reader::cutChunks, &V2Reader::readOutputs}) {
      if (auto wrong = (this->*step)(plan)) {
        return *std::move(wrong);
      }
    }
    auto inputs = readInputs();
    if (!inputs.ok()) {
      return std::move(inputs).error();
    }
    if (auto wrong = checkV2Rows(words_, *schema_, inputs.value())) {
      return *std::move(wrong);
    }
    auto answer = std::make_unique<V2Answer>(schema_, std::move(plan), maxResponseBytes_);
    return JsonRequest{std::move(inputs).value(), std::move(answer), parameters_.timeout};
  }

 private:
  using Wrong = std::optional<Error>;

  Cursor cursorAt(std::size_t at) const { return entries_.cursorAt(at); }

  bool walk() {
    if (!isJsonText(text_)) {
      return false;
    }
    Cursor cursor = cursorAt(0);
    top_ = cursor.peek();
    if (top_ != Kind::kObject) {
      return cursor.skip(0) && cursor.atEnd();
    }
    return eachMember(cursor,
                      [&](std::string_view name) {
                        if (name == "inputs") {
                          return entries_.walk(cursor);
                        }
                        for (const auto& [member, at] :
                             {std::pair{std::string_view("id"), &id_},
                              std::pair{std::string_view("parameters"), &parametersAt_},
                              std::pair{std::string_view("outputs"), &outputs_}}) {
                          if (name == member) {
                            *at = cursor.at();
                          }
                        }
                        return cursor.skip(1);
                      }) &&
           cursor.atEnd();
  }

  Wrong readId(V2Plan& plan) {
    if (id_ == kNowhere) {
      return std::nullopt;
    }
    Cursor id = cursorAt(id_);
    std::string scratch;
    std::string_view text;
    if (id.peek() != Kind::kString || !id.readString(text, scratch)) {
      return badInput("id", "a string", describe(id));
    }
    plan.id = text;
    words_.id = shortened(text);
    return std::nullopt;
  }

  Wrong readParameters(V2Plan& /*plan*/) {
    if (parametersAt_ == kNowhere) {
      return std::nullopt;
    }
    const auto read = readRequestParameters(cursorAt(parametersAt_));
    if (!read.ok()) {
      return read.error();
    }
    parameters_ = read.value();
    return std::nullopt;
  }

  // Which input each entry is, each once.
  Wrong findInputs(V2Plan& /*plan*/) {
    if (!entries_.isArray()) {
      return badInput("inputs", "an array of tensors", entries_.got(entries_.at()));
    }
    std::vector<bool> given(schema_->inputs.size());
    std::vector<std::string_view> names;
    for (std::size_t index = 0; index < entries_.all().size(); ++index) {
      const V2Entries::Entry& entry = entries_.all()[index];
      if (!entry.isObject) {
        return badInput(pathOf("inputs", index), "an object", entries_.got(entry.at));
      }
      if (entry.name == kNowhere || cursorAt(entry.name).peek() != Kind::kString) {
        return badInput(pathOf("inputs", index, ".name"), "a string", entries_.got(entry.name));
      }
      const std::size_t input = entries_.inputOf(entry);
      if (input == kNowhere) {
        return words_.unknown("input", textAt(cursorAt(entry.name)));
      }
      names.emplace_back(schema_->inputs[input].name);
      if (given[input]) {
        return words_.core("input '" + std::string(names.back()) + "' already exists in request");
      }
      given[input] = true;
      found_.push_back(input);
    }
    return names.size() == given.size() ? Wrong() : words_.missing(*schema_, names);
  }

  // What of the bytes behind the JSON belongs to which input, in the order in which they came.
  Wrong cutChunks(V2Plan& /*plan*/) {
    for (std::size_t index = 0; index < found_.size(); ++index) {
      const V2Entries::Entry& entry = entries_.all()[index];
      const std::string& name = schema_->inputs[found_[index]].name;
      V2InputParameters own;
      if (entry.parameters != kNowhere) {
        auto read = readInputParameters(cursorAt(entry.parameters), pathOf("inputs", index, "."));
        if (!read.ok()) {
          return read.error();
        }
        own = std::move(read).value();
      }
      if (auto wrong = checkSources(own, entry.data != kNowhere)) {
        return wrong;
      }
      cut_.emplace_back();
      if (!own.binaryBytes) {
        continue;
      }
      if (*own.binaryBytes > chunks_.size()) {
        return Error{ErrorCode::kBadInput,
                     "unexpected size for input '" + name + "', expecting " +
                         std::to_string(*own.binaryBytes - chunks_.size()) +
                         " additional bytes for model '" + schema_->name + "'",
                     {}};
      }
      cut_.back() = chunks_.substr(0, *own.binaryBytes);
      chunks_.remove_prefix(*own.binaryBytes);
    }
    if (!chunks_.empty()) {
      return Error{ErrorCode::kBadInput,
                   "unexpected additional input data for model '" + schema_->name + "'",
                   {}};
    }
    return std::nullopt;
  }

  Wrong readOutputs(V2Plan& plan) {
    Result<std::vector<V2Output>> read =
        outputs_ == kNowhere
            ? allOutputs(*schema_, parameters_)
            : readRequestedOutputs(words_, cursorAt(outputs_), *schema_, parameters_);
    if (!read.ok()) {
      return std::move(read).error();
    }
    plan.outputs = std::move(read).value();
    return std::nullopt;
  }

  Result<std::vector<Tensor>> readInputs() {
    std::vector<Tensor> inputs(found_.size());
    for (std::size_t index = 0; index < found_.size(); ++index) {
      auto tensor =
          readV2Tensor(words_, entries_, {.index = index, .input = found_[index]}, cut_[index]);
      if (!tensor.ok()) {
        return tensor.error();
      }
      inputs[found_[index]] = std::move(tensor).value();
    }
    return inputs;
  }

  const std::string_view text_;
  std::string_view chunks_;  // what of them is still to be cut
  const std::shared_ptr<const Schema>& schema_;
  const std::size_t maxResponseBytes_;
  // Found by walk().
  Kind top_ = Kind::kNone;
  V2Entries entries_;
  std::size_t id_ = kNowhere;
  std::size_t parametersAt_ = kNowhere;
  std::size_t outputs_ = kNowhere;
  // Found by the steps behind it.
  V2Words words_{.model = schema_->name, .id = {}};
  V2RequestParameters parameters_;
  std::vector<std::size_t> found_;                    // the input of each entry
  std::vector<std::optional<std::string_view>> cut_;  // its bytes; none: its data are JSON
};

}  // namespace

Result<JsonRequest> readV2(std::string_view body, const std::shared_ptr<const Schema>& schema,
                           const V2Options& options) {
  if (options.headerBytes == std::size_t{0}) {
    return readRaw(body, schema, options.maxResponseBytes);
  }
  return V2Reader(body, schema, options).read();
}

}  // namespace infer::codec
