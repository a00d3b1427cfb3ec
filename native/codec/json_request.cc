// SPDX-License-Identifier: Apache-2.0
// One walk over the body finds its form and reads what can be read on the way; what is wrong is
// looked for afterwards.
#include "native/codec/json_request.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/answer.h"
#include "native/codec/cursor.h"
#include "native/codec/nested.h"
#include "native/codec/rows_form.h"
#include "native/codec/schema.h"
#include "native/codec/syntax.h"
#include "native/codec/text.h"
#include "native/codec/v2_answer.h"
#include "native/codec/v2_entries.h"
#include "native/codec/v2_form.h"

namespace infer::codec {
namespace {

std::vector<Tensor> only(Tensor tensor) {
  std::vector<Tensor> inputs;
  inputs.push_back(std::move(tensor));
  return inputs;
}

class Reader {
 public:
  Reader(std::string_view body, const std::shared_ptr<const Schema>& schema,
         const JsonOptions& options)
      : body_(body),
        schema_(schema),
        options_(options),
        v2Entries_(Cursor(body), *schema, body.size()) {}

  Result<JsonRequest> read() {
    if (!isJsonText(body_) || !walk()) {
      return mistakeIn(body_);
    }
    auto inputs = readForm();
    if (!inputs.ok()) {
      return std::move(inputs).error();
    }
    if (auto fits = checkRows(*schema_, inputs.value()); !fits.ok()) {
      return std::move(fits).error();
    }
    return JsonRequest{
        std::move(inputs).value(),
        makeAnswer(schema_, std::move(plan_), options_.answer, options_.maxResponseBytes)};
  }

 private:
  bool takes(Form form) const { return (options_.forms & static_cast<unsigned>(form)) != 0; }
  Cursor cursorAt(std::size_t at) const { return Cursor(body_, at); }

  // Steps over the whole body; false when it is not JSON.
  bool walk() {
    Cursor cursor(body_);
    top_ = cursor.peek();
    if (top_ == Kind::kArray) {
      return walkArray(cursor, 0) && cursor.atEnd();
    }
    if (top_ != Kind::kObject) {
      return cursor.skip(0) && cursor.atEnd();
    }
    return eachMember(cursor, [&](std::string_view name) { return walkMember(cursor, name); }) &&
           cursor.atEnd();
  }

  bool walkMember(Cursor& cursor, std::string_view name) {
    if (name == "inputs" && takes(kV2)) {
      hasInputs_ = true;
      return v2Entries_.walk(cursor);
    }
    if (name == "instances" && takes(kInstances)) {
      instances_ = cursor.at();
      return walkArray(cursor, 1);
    }
    if (name == "id") {
      id_ = cursor.at();
    } else if (name == "parameters") {
      parameters_ = cursor.at();
    } else if (name == "outputs") {
      outputs_ = cursor.at();
    }
    return cursor.skip(1);
  }

  // Reads the only input on the way, if that is what stands there.
  bool walkArray(Cursor& cursor, std::size_t depth) {
    const std::size_t start = cursor.at();
    tensor_.reset();
    if (schema_->inputs.size() == 1 && !schema_->inputs[0].shape.empty()) {
      tensor_ = tryNested(cursor, schema_->inputs[0]);
    }
    if (!tensor_) {
      cursor.seek(start);
    }
    return tensor_ || cursor.skip(depth);
  }

  Result<std::vector<Tensor>> readForm() {
    if (hasInputs_) {
      plan_.form = kV2;
      return readV2();
    }
    if (instances_ != kNowhere) {
      plan_.form = kInstances;
      return readInstances();
    }
    if (top_ == Kind::kArray && takes(kArray)) {
      plan_.form = kArray;
      return readArray(Place{"body"}, "objects in {\"instances\": [...]}", cursorAt(0));
    }
    return badInput("body", expectedForms(), describe(cursorAt(0)));
  }

  std::string expectedForms() const {
    std::string text;
    for (const auto& [form, words] :
         {std::pair{kV2, "{\"inputs\": [...]} as in the Open Inference Protocol"},
          std::pair{kInstances, "{\"instances\": [...]}"}, std::pair{kArray, "a nested array"}}) {
      if (takes(form)) {
        text += text.empty() ? "" : " or ";
        text += words;
      }
    }
    return text;
  }

  Result<std::vector<Tensor>> readV2() {
    if (id_ != kNowhere) {
      Cursor id = cursorAt(id_);
      std::string scratch;
      std::string_view text;
      if (id.peek() != Kind::kString || !id.readString(text, scratch)) {
        return badInput("id", "a string", describe(id));
      }
      plan_.v2.id = text;
    }
    if (parameters_ != kNowhere) {
      if (auto refused = refuseParameters(cursorAt(parameters_), "", {"binary_data_output"})) {
        return *std::move(refused);
      }
    }
    if (outputs_ != kNowhere) {
      auto outputs = readV2Outputs(cursorAt(outputs_), *schema_);
      if (!outputs.ok()) {
        return std::move(outputs).error();
      }
      plan_.v2.outputs = std::move(outputs).value();
    }
    return readV2Inputs(v2Entries_);
  }

  Result<std::vector<Tensor>> readInstances() {
    for (const TensorSpec& output : schema_->outputs) {
      if (output.shape.empty()) {
        return badInput("instances", "a model whose outputs have an entry for each row",
                        quote(output.name) + " without an axis");
      }
    }
    Cursor rows = cursorAt(instances_);
    if (rows.peek() != Kind::kArray) {
      return badInput("instances", "an array of rows", describe(rows));
    }
    if (tensor_) {
      plan_.rows = tensor_->shape[0];
      return only(*std::move(tensor_));
    }
    plan_.rows = static_cast<std::int64_t>(countElements(rows));
    Cursor first = rows;
    first.take('[');
    if (plan_.rows == 0 || first.peek() == Kind::kObject) {
      return readNamedRows(rows, *schema_);
    }
    return readArray(Place{"instances"}, "an object by input name", rows);
  }

  // The only input. `instead`: what a model with several takes.
  Result<std::vector<Tensor>> readArray(const Place& place, std::string_view instead,
                                        Cursor cursor) {
    if (schema_->inputs.size() != 1) {
      const std::string names = quoteAll(namesOf(schema_->inputs));
      const bool rows = place.prefix == "instances";
      return badInput(rows ? place.path(std::vector<std::size_t>{0}) : place.prefix,
                      std::string(instead) + ", because model " + quote(schema_->name) +
                          " has the inputs " + names,
                      "an array");
    }
    if (tensor_) {
      return only(*std::move(tensor_));
    }
    auto tensor = readNested(cursor, schema_->inputs[0], place);
    return tensor.ok() ? Result<std::vector<Tensor>>(only(std::move(tensor).value()))
                       : std::move(tensor).error();
  }

  const std::string_view body_;
  const std::shared_ptr<const Schema>& schema_;
  const JsonOptions options_;
  // Found by walk().
  Kind top_ = Kind::kNone;
  bool hasInputs_ = false;
  V2Entries v2Entries_;
  std::size_t instances_ = kNowhere;
  std::size_t id_ = kNowhere;
  std::size_t parameters_ = kNowhere;
  std::size_t outputs_ = kNowhere;
  std::optional<Tensor> tensor_;  // of the body or of `instances`, read on the way
  // Found by readForm().
  AnswerPlan plan_;
};

}  // namespace

Result<JsonRequest> readJson(std::string_view body, const std::shared_ptr<const Schema>& schema,
                             const JsonOptions& options) {
  return Reader(body, schema, options).read();
}

}  // namespace infer::codec
