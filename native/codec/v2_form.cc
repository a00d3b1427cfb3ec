// SPDX-License-Identifier: Apache-2.0
// Inputs, outputs and parameters of a V2 request.
#include "native/codec/v2_form.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
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

namespace infer::codec {
namespace {

// The largest axis the library takes.
constexpr std::int64_t kMaxAxis = std::numeric_limits<std::int32_t>::max();

std::string pathOf(std::string_view list, std::size_t index, std::string_view member = {}) {
  return indexed(list, index).append(member);
}

// What `cursor` says, or that nothing came.
std::string got(std::string_view body, std::size_t at) {
  return at == kNowhere ? "nothing" : describe(Cursor(body, at));
}

// The index of the one that has the name; kNowhere when there is none.
std::size_t findSpec(Cursor cursor, std::span<const TensorSpec> specs) {
  std::string scratch;
  std::string_view name;
  if (cursor.peek() != Kind::kString || !cursor.readString(name, scratch)) {
    return kNowhere;
  }
  const auto spec = std::ranges::find(specs, name, &TensorSpec::name);
  return spec == specs.end() ? kNowhere : static_cast<std::size_t>(spec - specs.begin());
}

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

}  // namespace

bool V2Inputs::walk(Cursor& cursor) {
  isArray_ = cursor.peek() == Kind::kArray;
  at_ = cursor.at();
  entries_.clear();
  if (!isArray_) {
    return cursor.skip(1);
  }
  return eachElement(cursor, [&] {
    return entries_.size() > schema_.inputs.size() ? cursor.skip(2) : walkEntry(cursor);
  });
}

bool V2Inputs::walkEntry(Cursor& cursor) {
  Entry& entry = entries_.emplace_back();
  entry.isObject = cursor.peek() == Kind::kObject;
  entry.at = cursor.at();
  if (!entry.isObject) {
    return cursor.skip(2);
  }
  return eachMember(cursor, [&](std::string_view member) {
    std::size_t* const places[] = {&entry.name, &entry.datatype, &entry.shape, &entry.parameters};
    constexpr std::string_view kMembers[] = {"name", "datatype", "shape", "parameters"};
    if (member == "data") {
      return walkData(cursor, entry);
    }
    for (std::size_t i = 0; i < std::size(kMembers); ++i) {
      if (member == kMembers[i]) {
        if (*places[i] != kNowhere) {
          entry.tensor.reset();  // it was read by what no longer counts
        }
        *places[i] = cursor.at();
      }
    }
    return cursor.skip(3);
  });
}

bool V2Inputs::walkData(Cursor& cursor, Entry& entry) {
  const bool first = entry.data == kNowhere;
  entry.data = cursor.at();
  entry.tensor.reset();
  const std::size_t input = first ? inputOf(entry) : kNowhere;
  if (input != kNowhere && hasDatatype(entry, schema_.inputs[input])) {
    const TensorSpec& spec = schema_.inputs[input];
    if (const auto shape = shapeOf(entry, spec, 0); shape.ok()) {
      entry.tensor = tryShaped(cursor, spec, shape.value());
    }
  }
  if (!entry.tensor) {
    cursor.seek(entry.data);
  }
  return entry.tensor || cursor.skip(3);
}

std::size_t V2Inputs::inputOf(const Entry& entry) const {
  return entry.name == kNowhere ? kNowhere : findSpec(cursorAt(entry.name), schema_.inputs);
}

bool V2Inputs::hasDatatype(const Entry& entry, const TensorSpec& spec) const {
  if (entry.datatype == kNowhere) {
    return false;
  }
  Cursor cursor = cursorAt(entry.datatype);
  std::string scratch;
  std::string_view name;
  return cursor.readString(name, scratch) && name == datatypeOf(spec.type);
}

Result<Shape> V2Inputs::shapeOf(const Entry& entry, const TensorSpec& spec,
                                std::size_t index) const {
  const std::string where = pathOf("inputs", index, ".shape");
  if (entry.shape == kNowhere || cursorAt(entry.shape).peek() != Kind::kArray) {
    return badInput(where, "an array of integers", got(body_, entry.shape));
  }
  Cursor cursor = cursorAt(entry.shape);
  if (const std::size_t axes = countElements(cursor); axes != spec.shape.size()) {
    return badInput(where, std::to_string(spec.shape.size()) + " axes for " + specText(spec),
                    std::to_string(axes));
  }
  Shape shape;
  shape.reserve(spec.shape.size());
  std::optional<Error> wrong;
  eachElement(cursor, [&] {
    const auto size = axisOf(cursor, spec, where, shape.size());
    if (!size.ok()) {
      wrong = size.error();
      return false;
    }
    shape.push_back(size.value());
    return cursor.skip(0);
  });
  return wrong ? Result<Shape>(*std::move(wrong)) : Result<Shape>(std::move(shape));
}

// An axis longer than the body has bytes is a lie, also where an empty axis beside it makes the
// tensor empty.
Result<std::int64_t> V2Inputs::axisOf(Cursor cursor, const TensorSpec& spec,
                                      const std::string& where, std::size_t axis) const {
  const std::int64_t fixed = spec.shape[axis];
  const auto wrong = [&](const std::string& expected) {
    return badInput(indexed(where, axis), expected, describe(cursor));
  };
  Number number;
  std::int64_t size = 0;
  Cursor reader = cursor;
  if (reader.peek() != Kind::kNumber || !reader.readNumber(number) || !toInteger(number, size) ||
      size < 0 || size > kMaxAxis) {
    return wrong("an integer from 0 to " + std::to_string(kMaxAxis));
  }
  if (fixed != kFreeAxis && size != fixed) {
    return wrong(std::to_string(fixed) + " for " + specText(spec));
  }
  if (fixed == kFreeAxis && static_cast<std::size_t>(size) > body_.size()) {
    return wrong("at most " + std::to_string(body_.size()) + ", the bytes of the body");
  }
  return size;
}

Result<std::vector<Tensor>> V2Inputs::read() {
  if (!isArray_) {
    return badInput("inputs", "an array of tensors", got(body_, at_));
  }
  std::vector<Tensor> inputs(schema_.inputs.size());
  std::vector<bool> given(inputs.size());
  for (std::size_t index = 0; index < entries_.size(); ++index) {
    Entry& entry = entries_[index];
    if (!entry.isObject) {
      return badInput(pathOf("inputs", index), "an object", got(body_, entry.at));
    }
    const std::size_t input = inputOf(entry);
    if (input == kNowhere) {
      return unknownName(pathOf("inputs", index, ".name"), "input", schema_,
                         got(body_, entry.name));
    }
    if (given[input]) {
      return twice(pathOf("inputs", index, ".name"), "input", schema_.inputs[input].name);
    }
    given[input] = true;
    auto tensor = readEntry(entry, index, input);
    if (!tensor.ok()) {
      return std::move(tensor).error();
    }
    inputs[input] = std::move(tensor).value();
  }
  std::vector<std::string_view> missing;
  for (std::size_t input = 0; input < inputs.size(); ++input) {
    if (!given[input]) {
      missing.emplace_back(schema_.inputs[input].name);
    }
  }
  if (!missing.empty()) {
    return badInput("inputs", "all inputs of model " + quote(schema_.name),
                    "none named " + quoteAll(missing));
  }
  return inputs;
}

Result<Tensor> V2Inputs::readEntry(Entry& entry, std::size_t index, std::size_t input) {
  const TensorSpec& spec = schema_.inputs[input];
  if (!hasDatatype(entry, spec)) {
    return badInput(pathOf("inputs", index, ".datatype"),
                    quote(datatypeOf(spec.type)) + " for " + specText(spec),
                    got(body_, entry.datatype));
  }
  if (entry.parameters != kNowhere) {
    if (auto refused = refuseParameters(cursorAt(entry.parameters), pathOf("inputs", index, "."),
                                        {"binary_data_size", "shared_memory_region"})) {
      return *std::move(refused);
    }
  }
  if (entry.tensor) {
    return *std::move(entry.tensor);
  }
  auto shape = shapeOf(entry, spec, index);
  if (!shape.ok()) {
    return std::move(shape).error();
  }
  const Place place{.prefix = pathOf("inputs", index, ".data")};
  if (entry.data == kNowhere) {
    return badInput(place.path({}), "an array of elements for " + specText(spec), "nothing");
  }
  return readShaped(cursorAt(entry.data), spec, shape.value(), place);
}

Result<std::vector<std::size_t>> readV2Outputs(Cursor cursor, const Schema& schema) {
  if (cursor.peek() != Kind::kArray) {
    return badInput("outputs", "an array of objects", describe(cursor));
  }
  std::vector<std::size_t> outputs;
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
    if (std::ranges::find(outputs, output) != outputs.end()) {
      return twice(where, "output", schema.outputs[output].name);
    }
    outputs.push_back(output);
    return parameters ? refuseParameters(*parameters, pathOf("outputs", index, "."),
                                         {"binary_data", "classification", "shared_memory_region"})
                      : std::nullopt;
  };
  eachElement(cursor, [&] {
    wrong = readOutput(cursor);
    ++index;
    return !wrong && cursor.skip(0);
  });
  return wrong ? Result<std::vector<std::size_t>>(*std::move(wrong))
               : Result<std::vector<std::size_t>>(std::move(outputs));
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
