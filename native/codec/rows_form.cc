// SPDX-License-Identifier: Apache-2.0
// One reader for each input, fed row by row.
#include "native/codec/rows_form.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/column.h"
#include "native/codec/cursor.h"
#include "native/codec/nested.h"
#include "native/codec/schema.h"
#include "native/codec/sparse_row.h"
#include "native/codec/syntax.h"
#include "native/codec/text.h"

namespace infer::codec {
namespace {

// What sparse rows of one request may become: a few bytes of them can stand for many, and are read
// on the event loop.
constexpr std::size_t kMostSparseBytes = std::size_t{16} << 20U;

// A line that holds a row.
struct Line {
  std::size_t at;
  std::size_t number;  // from 1
};

Result<std::vector<Line>> findLines(std::string_view text) {
  std::vector<Line> lines;
  std::size_t number = 0;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string_view line = text.substr(start, end - start);
    Cursor cursor(line);
    ++number;
    if (!cursor.atEnd()) {
      if (!cursor.skip(0) || !cursor.atEnd()) {
        return mistakeIn(line, Numbers::kFinite, "line " + std::to_string(number));
      }
      lines.push_back({.at = start, .number = number});
    }
    start = end + 1;
  }
  return lines;
}

class RowsReader {
 public:
  // `lines`: of JSON Lines; empty for the elements of an array.
  RowsReader(std::string_view text, const Schema& schema, std::span<const Line> lines)
      : cursor_(text), schema_(schema), lines_(lines) {}

  Result<std::vector<Tensor>> readArray(Cursor rows) {
    cursor_ = rows;
    if (auto wrong = begin(countElements(cursor_))) {
      return *std::move(wrong);
    }
    std::optional<Error> wrong;
    eachElement(cursor_, [&] {
      wrong = readRow();
      ++row_;
      return !wrong.has_value();
    });
    return finish(std::move(wrong));
  }

  Result<std::vector<Tensor>> readLines() {
    auto wrong = begin(lines_.size());
    for (; !wrong && row_ < lines_.size(); ++row_) {
      cursor_.seek(lines_[row_].at);
      cursor_.skipSpace();
      wrong = readRow();
    }
    return finish(std::move(wrong));
  }

 private:
  bool hasOneInput() const { return schema_.inputs.size() == 1; }
  Cursor cursorAt(std::size_t at) const {
    Cursor cursor = cursor_;
    cursor.seek(at);
    return cursor;
  }

  // The current row as messages call it.
  std::string rowPath() const {
    return lines_.empty() ? indexed("instances", row_)
                          : "line " + std::to_string(lines_[row_].number);
  }
  std::string within(std::string_view member) const {
    return rowPath().append(lines_.empty() ? "." : ": ").append(member);
  }
  Place placeOf(const TensorSpec& spec) const {
    return {.prefix = "instances",
            .member = isBare_ ? std::string_view() : spec.name,
            .row = lines_.empty() ? std::string() : rowPath()};
  }

  std::optional<Error> begin(std::size_t rows) {
    for (const TensorSpec& spec : schema_.inputs) {
      const std::string path = lines_.empty() ? "instances[0]." + spec.name : "body";
      if (spec.shape.empty()) {
        return badInput(path, std::string(expectedElement(spec.type)) + " for " + specText(spec),
                        "an array of " + std::to_string(rows));
      }
      Shape sizes = spec.shape;
      if (sizes[0] != kFreeAxis && static_cast<std::size_t>(sizes[0]) != rows) {
        return badInput(path,
                        std::to_string(sizes[0]) + " values along axis 0 of " + specText(spec),
                        std::to_string(rows));
      }
      sizes[0] = static_cast<std::int64_t>(rows);
      readers_.emplace_back(spec, std::move(sizes));
    }
    return std::nullopt;
  }

  Result<std::vector<Tensor>> finish(std::optional<Error> wrong) {
    if (wrong) {
      return *std::move(wrong);
    }
    std::vector<Tensor> inputs;
    inputs.reserve(readers_.size());
    for (NestedReader& reader : readers_) {
      inputs.push_back(std::move(reader).finish());
    }
    return inputs;
  }

  // Steps over a row.
  std::optional<Error> readRow() {
    values_.assign(readers_.size(), kNowhere);
    isBare_ = cursor_.peek() != Kind::kObject;
    if (isBare_) {
      return readBareRow();
    }
    std::size_t wrapped = kNowhere;
    std::optional<Error> wrong;
    eachMember(cursor_, [&](std::string_view name) {
      wrong = note(name, wrapped);
      return !wrong && cursor_.skip(0);
    });
    if (!wrong && wrapped != kNowhere) {
      return readWrapped(wrapped);
    }
    for (std::size_t i = 0; !wrong && i < readers_.size(); ++i) {
      wrong = readValue(i);
    }
    return wrong;
  }

  std::optional<Error> readBareRow() {
    if (lines_.empty()) {
      return badInput(rowPath(), "an object like the first", describe(cursor_));
    }
    if (!hasOneInput()) {
      return badInput(rowPath(),
                      "an object by input name, because model " + quote(schema_.name) +
                          " has the inputs " + quoteAll(namesOf(schema_.inputs)),
                      describe(cursor_));
    }
    values_[0] = cursor_.at();
    return readValue(0);
  }

  // Of members of one name the last counts, as in JSON.parse.
  std::optional<Error> note(std::string_view name, std::size_t& wrapped) {
    const auto spec = std::ranges::find(schema_.inputs, name, &TensorSpec::name);
    const bool isKnown = spec != schema_.inputs.end();
    if (hasOneInput() && (name == "features" || name == "data") &&
        (!isKnown || cursor_.peek() == Kind::kObject)) {
      wrapped = cursor_.at();
      isData_ = name == "data";
      return std::nullopt;
    }
    if (!isKnown) {
      return badInput(rowPath(),
                      "only inputs of model " + quote(schema_.name) + " (" +
                          quoteAll(namesOf(schema_.inputs)) + ")",
                      quote(name));
    }
    values_[static_cast<std::size_t>(spec - schema_.inputs.begin())] = cursor_.at();
    return std::nullopt;
  }

  // The value of "features", or of "data" around it.
  std::optional<Error> readWrapped(std::size_t wrapped) {
    Cursor at = cursorAt(wrapped);
    std::string path = within(isData_ ? "data" : "features");
    if (isData_) {
      std::size_t features = kNowhere;
      Cursor members = at;
      eachMember(members, [&](std::string_view name) {
        features = name == "features" ? members.at() : features;
        return members.skip(0);
      });
      if (features == kNowhere) {
        return badInput(path, "an object with \"features\"", describe(at));
      }
      at.seek(features);
      path += ".features";
    }
    values_[0] = at.at();
    if (at.peek() != Kind::kObject) {
      return readValue(0);
    }
    auto row = readVectorRow(at, path);
    if (!row.ok()) {
      return std::move(row).error();
    }
    values_[0] = row.value().values;
    return row.value().isSparse ? readSparse(row.value(), path) : readValue(0);
  }

  std::optional<Error> readSparse(const VectorRow& row, const std::string& path) {
    constexpr std::size_t kAxes = 2;
    const TensorSpec& spec = schema_.inputs[0];
    if (spec.shape.size() != kAxes || spec.type == ElementType::kString) {
      return badInput(path, "values for " + specText(spec), "a sparse vector");
    }
    if (spec.shape[1] != kFreeAxis && static_cast<std::size_t>(spec.shape[1]) != row.size) {
      return badInput(path + ".shape",
                      dimsText(std::span(spec.shape).subspan(1)) + " for " + specText(spec),
                      indexed("", row.size));
    }
    sparseBytes_ += row.size * elementTypeInfo(spec.type).bytes;
    if (sparseBytes_ > kMostSparseBytes) {
      return badInput(path,
                      "sparse rows of at most " + std::to_string(kMostSparseBytes) +
                          " bytes once their zeros are there",
                      "more");
    }
    NestedReader& reader = readers_[0];
    const Cursor values = cursorAt(row.values);
    if (!reader.readSparse(values, row.size, row.cells)) {
      reader.within(row_);
      return reader.failure(values, placeOf(spec));
    }
    return std::nullopt;
  }

  std::optional<Error> readValue(std::size_t input) {
    const TensorSpec& spec = schema_.inputs[input];
    NestedReader& reader = readers_[input];
    if (values_[input] == kNowhere) {
      return badInput(rowPath(), "a value for input " + quote(spec.name), "none");
    }
    Cursor value = cursorAt(values_[input]);
    if (row_ == 0) {
      if (auto wrong = reader.learnSizes(value, 1, placeOf(spec))) {
        return wrong;
      }
    }
    if (!reader.read(value, 1)) {
      reader.within(row_);
      return reader.failure(value, placeOf(spec));
    }
    return std::nullopt;
  }

  Cursor cursor_;
  const Schema& schema_;
  const std::span<const Line> lines_;
  std::vector<NestedReader> readers_;  // in the order of the inputs
  std::size_t sparseBytes_ = 0;        // of all rows so far
  // Of the current row.
  std::size_t row_ = 0;
  bool isBare_ = false;              // a value, not an object
  bool isData_ = false;              // wrapped in "data"
  std::vector<std::size_t> values_;  // where each begins
};

}  // namespace

Result<std::vector<Tensor>> readNamedRows(Cursor rows, const Schema& schema) {
  return RowsReader({}, schema, {}).readArray(rows);
}

Result<std::vector<Tensor>> readLineRows(std::string_view text, const Schema& schema) {
  auto lines = findLines(text);
  if (!lines.ok()) {
    return std::move(lines).error();
  }
  if (lines.value().empty()) {
    return badInput("body", "lines of JSON", "none");
  }
  return RowsReader(text, schema, lines.value()).readLines();
}

}  // namespace infer::codec
