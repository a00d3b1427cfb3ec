// SPDX-License-Identifier: Apache-2.0
// Inputs, outputs and parameters of a V2 request.
#include "native/codec/v2_form.h"

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/cursor.h"
#include "native/codec/nested.h"
#include "native/codec/number.h"
#include "native/codec/schema.h"
#include "native/codec/text.h"
#include "native/codec/v2_answer.h"
#include "native/codec/v2_entries.h"

namespace infer::codec {
namespace {

Error unknownName(const std::string& where, std::string_view kind, const Schema& schema,
                  const std::string& came) {
  const auto& specs = kind == "input" ? schema.inputs : schema.outputs;
  const std::string known = quoteAll(namesOf(specs));
  return badInput(
      where, "an " + std::string(kind) + " of model " + quote(schema.name) + " (" + known + ")",
      came);
}

Error twice(const std::string& where, std::string_view kind, const std::string& name) {
  return badInput(where, "each " + std::string(kind) + " once", quote(name) + " again");
}

// false or 0: as if it had not come.
bool isOff(Cursor cursor) {
  Number number;
  return cursor.peek() == Kind::kFalse ||
         (cursor.peek() == Kind::kNumber && cursor.readNumber(number) && toDouble(number) == 0);
}

Result<Tensor> readEntry(V2Entries& entries, std::size_t index, std::size_t input) {
  V2Entries::Entry& entry = entries.all()[index];
  const TensorSpec& spec = entries.schema().inputs[input];
  if (!entries.hasDatatype(entry, spec)) {
    return badInput(pathOf("inputs", index, ".datatype"),
                    quote(datatypeOf(spec.type)) + " for " + specText(spec),
                    entries.got(entry.datatype));
  }
  if (entry.parameters != kNowhere) {
    if (auto refused =
            refuseParameters(entries.cursorAt(entry.parameters), pathOf("inputs", index, "."),
                             {"binary_data_size", "shared_memory_region"})) {
      return *std::move(refused);
    }
  }
  if (entry.tensor) {
    return *std::move(entry.tensor);
  }
  auto shape = entries.shapeOf(entry, spec, index);
  if (!shape.ok()) {
    return std::move(shape).error();
  }
  const Place place{.prefix = pathOf("inputs", index, ".data")};
  if (entry.data == kNowhere) {
    return badInput(place.path({}), "an array of elements for " + specText(spec), "nothing");
  }
  return readShaped(entries.cursorAt(entry.data), spec, shape.value(), place);
}

}  // namespace

Result<std::vector<Tensor>> readV2Inputs(V2Entries& entries) {
  const Schema& schema = entries.schema();
  if (!entries.isArray()) {
    return badInput("inputs", "an array of tensors", entries.got(entries.at()));
  }
  std::vector<Tensor> inputs(schema.inputs.size());
  std::vector<bool> given(inputs.size());
  for (std::size_t index = 0; index < entries.all().size(); ++index) {
    const V2Entries::Entry& entry = entries.all()[index];
    if (!entry.isObject) {
      return badInput(pathOf("inputs", index), "an object", entries.got(entry.at));
    }
    const std::size_t input = entries.inputOf(entry);
    if (input == kNowhere) {
      return unknownName(pathOf("inputs", index, ".name"), "input", schema,
                         entries.got(entry.name));
    }
    if (given[input]) {
      return twice(pathOf("inputs", index, ".name"), "input", schema.inputs[input].name);
    }
    given[input] = true;
    auto tensor = readEntry(entries, index, input);
    if (!tensor.ok()) {
      return std::move(tensor).error();
    }
    inputs[input] = std::move(tensor).value();
  }
  std::vector<std::string_view> missing;
  for (std::size_t input = 0; input < inputs.size(); ++input) {
    if (!given[input]) {
      missing.emplace_back(schema.inputs[input].name);
    }
  }
  if (!missing.empty()) {
    return badInput("inputs", "all inputs of model " + quote(schema.name),
                    "none named " + quoteAll(missing));
  }
  return inputs;
}

Result<std::vector<V2Output>> readV2Outputs(Cursor cursor, const Schema& schema) {
  if (cursor.peek() != Kind::kArray) {
    return badInput("outputs", "an array of objects", describe(cursor));
  }
  std::vector<V2Output> outputs;
  std::optional<Error> wrong;
  std::size_t index = 0;
  const auto readOutput = [&](Cursor entry) -> std::optional<Error> {
    if (entry.peek() != Kind::kObject) {
      return badInput(pathOf("outputs", index), "an object", describe(entry));
    }
    std::optional<Cursor> name;
    std::optional<Cursor> parameters;
    eachMember(entry, [&](std::string_view member) {
      if (member == "name") {
        name = entry;
      } else if (member == "parameters") {
        parameters = entry;
      }
      return entry.skip(0);
    });
    const std::size_t output = name ? findSpec(*name, schema.outputs) : kNowhere;
    const std::string where = pathOf("outputs", index, ".name");
    if (output == kNowhere) {
      return unknownName(where, "output", schema, name ? describe(*name) : "nothing");
    }
    if (std::ranges::find(outputs, output, &V2Output::index) != outputs.end()) {
      return twice(where, "output", schema.outputs[output].name);
    }
    outputs.push_back({.index = output});
    return parameters ? refuseParameters(*parameters, pathOf("outputs", index, "."),
                                         {"binary_data", "classification", "shared_memory_region"})
                      : std::nullopt;
  };
  eachElement(cursor, [&] {
    wrong = readOutput(cursor);
    ++index;
    return !wrong && cursor.skip(0);
  });
  return wrong ? Result<std::vector<V2Output>>(*std::move(wrong))
               : Result<std::vector<V2Output>>(std::move(outputs));
}

std::optional<Error> refuseParameters(Cursor cursor, const std::string& path,
                                      std::initializer_list<std::string_view> names) {
  if (cursor.peek() != Kind::kObject) {
    return badInput(path + "parameters", "an object", describe(cursor));
  }
  std::optional<Error> wrong;
  eachMember(cursor, [&](std::string_view name) {
    if (std::ranges::find(names, name) != names.end()) {
      wrong.reset();  // of several of one name the last counts
      if (!isOff(cursor)) {
        wrong = badInput(path + "parameters." + std::string(name),
                         "none, because tensors travel as JSON here", describe(cursor));
      }
    }
    return cursor.skip(0);
  });
  return wrong;
}

}  // namespace infer::codec
