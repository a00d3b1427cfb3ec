// SPDX-License-Identifier: Apache-2.0
// Type, shape and data of each input, in JSON or as bytes.
#include "native/codec/v2_tensors.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/binary.h"
#include "native/codec/classes.h"
#include "native/codec/column.h"
#include "native/codec/cursor.h"
#include "native/codec/nested.h"
#include "native/codec/number.h"
#include "native/codec/schema.h"
#include "native/codec/text.h"
#include "native/codec/v2_answer.h"
#include "native/codec/v2_entries.h"
#include "native/codec/v2_parameters.h"
#include "native/codec/v2_words.h"

namespace infer::codec {
namespace {

bool isHalf(ElementType type) {
  return type == ElementType::kFloat16 || type == ElementType::kBFloat16;
}

// Integers from 0, whatever the model says.
Result<Shape> dimsAt(const V2Entries& entries, const V2Entries::Entry& entry, std::size_t index) {
  const std::string where = pathOf("inputs", index, ".shape");
  if (entry.shape == kNowhere || entries.cursorAt(entry.shape).peek() != Kind::kArray) {
    return badInput(where, "an array of integers", entries.got(entry.shape));
  }
  Cursor cursor = entries.cursorAt(entry.shape);
  Shape dims;
  std::optional<Error> wrong;
  eachElement(cursor, [&] {
    const Cursor start = cursor;
    Number number;
    std::int64_t dim = 0;
    if (cursor.peek() != Kind::kNumber || !cursor.readNumber(number) || !toInteger(number, dim) ||
        dim < 0) {
      wrong = badInput(indexed(where, dims.size()), "an integer from 0", describe(start));
      return false;
    }
    dims.push_back(dim);
    return true;
  });
  return wrong ? Result<Shape>(*std::move(wrong)) : Result<Shape>(std::move(dims));
}

// One that the model takes.
Result<Shape> readShape(const V2Words& words, const V2Entries& entries, const V2Place& place) {
  const V2Entries::Entry& entry = entries.all()[place.index];
  const TensorSpec& spec = entries.schema().inputs[place.input];
  auto dims = dimsAt(entries, entry, place.index);
  if (!dims.ok()) {
    return dims;
  }
  const Shape& shape = dims.value();
  if (!elementCount(shape).ok()) {
    return words.core("shape of input '" + spec.name +
                      "' causes total element count to exceed maximum size of "
                      "9223372036854775807");
  }
  if (entries.schema().batchable && shape.empty()) {
    return words.core("input '" + spec.name +
                      "' has no shape but model requires batch dimension for '" +
                      entries.schema().name + "'");
  }
  const bool fits = std::ranges::equal(shape, spec.shape, [](std::int64_t came, std::int64_t own) {
    return own == kFreeAxis || own == came;
  });
  if (!fits) {
    return words.shape(spec, shape);
  }
  return entries.shapeOf(entry, spec, place.index);  // bounds the free axes, too
}

// Steps over an array of elements that are nested in any way.
bool readFlattened(Cursor& cursor, Column& column) {
  if (!cursor.take('[')) {
    return false;
  }
  if (cursor.take(']')) {
    return true;
  }
  do {
    const bool isRead =
        cursor.peek() == Kind::kArray ? readFlattened(cursor, column) : column.readOne(cursor);
    if (!isRead) {
      return false;
    }
  } while (cursor.take(','));
  return cursor.take(']');
}

Result<Tensor> readJsonData(const V2Entries& entries, const V2Place& place, Shape shape) {
  const V2Entries::Entry& entry = entries.all()[place.index];
  const TensorSpec& spec = entries.schema().inputs[place.input];
  const std::string where = pathOf("inputs", place.index, ".data");
  Cursor cursor = entries.cursorAt(entry.data);
  if (cursor.peek() != Kind::kArray) {
    return badInput(where, "an array of elements for " + specText(spec), describe(cursor));
  }
  if (auto tensor = tryShaped(cursor, spec, shape)) {
    return *std::move(tensor);
  }
  cursor.seek(entry.data);
  Column column(spec.type);
  if (!readFlattened(cursor, column)) {
    return badInput(indexed(where, column.size()),
                    std::string(expectedElement(spec.type)) + " for " + specText(spec),
                    describe(cursor));
  }
  const auto count = elementCount(shape);
  if (!count.ok() || column.size() != count.value()) {
    const std::string got = " (input '" + spec.name + "': expected " +
                            (count.ok() ? std::to_string(count.value()) : "far more") +
                            " elements for shape " + dimsText(shape) + ", got " +
                            std::to_string(column.size()) + ")";
    const bool isMore = count.ok() && column.size() > count.value();
    return Error{ErrorCode::kBadInput,
                 (isMore ? "Unable to parse 'data': Shape does not match true shape of 'data' field"
                         : "Failed to parse 'data' field: shape does not match true shape") +
                     got,
                 {}};
  }
  return std::move(column).finish(std::move(shape));
}

// Whether the output can be given as it is asked for.
std::optional<Error> checkOutput(const V2Output& output, const Schema& schema) {
  const TensorSpec& spec = schema.outputs[output.index];
  if (output.classes > 0 && !canRank(spec.type)) {
    return Error{ErrorCode::kBadInput,
                 "class result not available for output due to unsupported type '" +
                     std::string(datatypeOf(spec.type)) + "'",
                 {}};
  }
  if (output.classes == 0 && !output.isBinary && isHalf(spec.type)) {
    return halfAsJson("sending", spec);
  }
  return std::nullopt;
}

struct RequestedOutput {
  std::optional<Cursor> name;
  V2OutputParameters parameters;
};

Result<RequestedOutput> readRequested(Cursor entry, std::size_t index) {
  if (entry.peek() != Kind::kObject) {
    return badInput(pathOf("outputs", index), "an object", describe(entry));
  }
  RequestedOutput out;
  std::optional<Cursor> parameters;
  eachMember(entry, [&](std::string_view member) {
    if (member == "name") {
      out.name = entry;
    } else if (member == "parameters") {
      parameters = entry;
    }
    return entry.skip(0);
  });
  if (!out.name || out.name->peek() != Kind::kString) {
    return badInput(pathOf("outputs", index, ".name"), "a string",
                    out.name ? describe(*out.name) : "nothing");
  }
  if (parameters) {
    auto read = readOutputParameters(*parameters, pathOf("outputs", index, "."));
    if (!read.ok()) {
      return std::move(read).error();
    }
    out.parameters = std::move(read).value();
  }
  const auto& [isBinary, classes, region] = out.parameters;
  if (!region) {
    return out;
  }
  if (classes > 0 || isBinary == true) {
    return badInput(pathOf("outputs", index, ".parameters"),
                    "shared_memory_region without classification and binary_data", "both");
  }
  return noRegion(*region);
}

}  // namespace

std::string textAt(Cursor cursor) {
  std::string scratch;
  std::string_view text;
  return cursor.peek() == Kind::kString && cursor.readString(text, scratch) ? std::string(text)
                                                                            : std::string();
}

Result<Tensor> readV2Tensor(const V2Words& words, V2Entries& entries, const V2Place& place,
                            std::optional<std::string_view> chunk) {
  V2Entries::Entry& entry = entries.all()[place.index];
  const TensorSpec& spec = entries.schema().inputs[place.input];
  if (entry.datatype == kNowhere || entries.cursorAt(entry.datatype).peek() != Kind::kString) {
    return badInput(pathOf("inputs", place.index, ".datatype"), "a string",
                    entries.got(entry.datatype));
  }
  if (!entries.hasDatatype(entry, spec)) {
    return words.datatype(spec, textAt(entries.cursorAt(entry.datatype)));
  }
  if (!chunk && isHalf(spec.type)) {
    return halfAsJson("receiving", spec);
  }
  if (entry.tensor && !chunk) {
    return *std::move(entry.tensor);
  }
  auto shape = readShape(words, entries, place);
  if (!shape.ok()) {
    return std::move(shape).error();
  }
  if (!chunk) {
    return readJsonData(entries, place, std::move(shape).value());
  }
  auto tensor = readBinary(*chunk, spec, std::move(shape).value(), words.model);
  return tensor.ok() ? std::move(tensor) : Result<Tensor>(words.core(tensor.error().message));
}

Result<std::vector<V2Output>> allOutputs(const Schema& schema,
                                         const V2RequestParameters& parameters) {
  std::vector<V2Output> outputs;
  for (std::size_t i = 0; i < schema.outputs.size(); ++i) {
    outputs.push_back({.index = i, .isBinary = parameters.binaryOutput});
    if (auto wrong = checkOutput(outputs.back(), schema)) {
      return *std::move(wrong);
    }
  }
  return outputs;
}

Result<std::vector<V2Output>> readRequestedOutputs(const V2Words& words, Cursor cursor,
                                                   const Schema& schema,
                                                   const V2RequestParameters& parameters) {
  if (cursor.peek() != Kind::kArray) {
    return badInput("outputs", "an array of objects", describe(cursor));
  }
  std::vector<V2Output> outputs;
  const auto readOne = [&]() -> std::optional<Error> {
    auto read = readRequested(cursor, outputs.size());
    if (!read.ok()) {
      return std::move(read).error();
    }
    const auto& [name, own] = read.value();
    const std::size_t index = findSpec(*name, schema.outputs);
    if (index == kNowhere) {
      return words.unknown("output", textAt(*name));
    }
    if (std::ranges::find(outputs, index, &V2Output::index) != outputs.end()) {
      return words.core("output '" + schema.outputs[index].name + "' already exists in request");
    }
    outputs.push_back({.index = index,
                       .isBinary = own.isBinary.value_or(parameters.binaryOutput),
                       .classes = own.classes});
    return checkOutput(outputs.back(), schema);
  };
  std::optional<Error> wrong;
  eachElement(cursor, [&] {
    wrong = readOne();
    return !wrong && cursor.skip(0);
  });
  if (wrong) {
    return *std::move(wrong);
  }
  return outputs.empty() ? allOutputs(schema, parameters) : std::move(outputs);
}

}  // namespace infer::codec
