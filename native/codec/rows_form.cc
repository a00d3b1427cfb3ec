// SPDX-License-Identifier: Apache-2.0
// One reader for each input, fed row by row.
#include "native/codec/rows_form.h"

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
#include "native/codec/column.h"
#include "native/codec/cursor.h"
#include "native/codec/nested.h"
#include "native/codec/schema.h"
#include "native/codec/text.h"

namespace infer::codec {
namespace {

std::string rowPath(std::size_t row) {
  return indexed("instances", row);
}

Place placeOf(const TensorSpec& spec) {
  return {.prefix = "instances", .member = spec.name};
}

class NamedRows {
 public:
  NamedRows(Cursor rows, const Schema& schema) : cursor_(rows), schema_(schema) {}

  Result<std::vector<Tensor>> read() {
    const std::size_t rows = countElements(cursor_);
    if (auto wrong = begin(rows)) {
      return *std::move(wrong);
    }
    std::optional<Error> wrong;
    std::size_t row = 0;
    eachElement(cursor_, [&] {
      wrong = readRow(row++);
      return !wrong.has_value();
    });
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

 private:
  std::optional<Error> begin(std::size_t rows) {
    for (const TensorSpec& spec : schema_.inputs) {
      if (spec.shape.empty()) {
        return badInput(placeOf(spec).path({}),
                        std::string(expectedElement(spec.type)) + " for " + specText(spec),
                        "an array of " + std::to_string(rows));
      }
      Shape sizes = spec.shape;
      if (sizes[0] != kFreeAxis && static_cast<std::size_t>(sizes[0]) != rows) {
        return badInput(placeOf(spec).path({}),
                        std::to_string(sizes[0]) + " values along axis 0 of " + specText(spec),
                        std::to_string(rows));
      }
      sizes[0] = static_cast<std::int64_t>(rows);
      readers_.emplace_back(spec, std::move(sizes));
    }
    return std::nullopt;
  }

  // Steps over a row.
  std::optional<Error> readRow(std::size_t row) {
    if (cursor_.peek() != Kind::kObject) {
      return badInput(rowPath(row), "an object like the first", describe(cursor_));
    }
    values_.assign(readers_.size(), kNowhere);
    std::optional<Error> wrong;
    eachMember(cursor_, [&](std::string_view name) {
      wrong = note(row, name);
      return !wrong && cursor_.skip(0);
    });
    for (std::size_t i = 0; !wrong && i < readers_.size(); ++i) {
      wrong = readValue(row, i);
    }
    return wrong;
  }

  // Of members of one name the last counts, as in JSON.parse.
  std::optional<Error> note(std::size_t row, std::string_view name) {
    const auto spec = std::ranges::find(schema_.inputs, name, &TensorSpec::name);
    if (spec == schema_.inputs.end()) {
      const std::vector<std::string_view> names = namesOf(schema_.inputs);
      return badInput(rowPath(row),
                      "only inputs of model " + quote(schema_.name) + " (" + quoteAll(names) + ")",
                      quote(name));
    }
    values_[static_cast<std::size_t>(spec - schema_.inputs.begin())] = cursor_.at();
    return std::nullopt;
  }

  std::optional<Error> readValue(std::size_t row, std::size_t input) {
    const TensorSpec& spec = schema_.inputs[input];
    NestedReader& reader = readers_[input];
    if (values_[input] == kNowhere) {
      return badInput(rowPath(row), "a value for input " + quote(spec.name), "none");
    }
    Cursor value = cursor_;
    value.seek(values_[input]);
    if (row == 0) {
      if (auto wrong = reader.learnSizes(value, 1, placeOf(spec))) {
        return wrong;
      }
    }
    if (!reader.read(value, 1)) {
      reader.within(row);
      return reader.failure(value, placeOf(spec));
    }
    return std::nullopt;
  }

  Cursor cursor_;
  const Schema& schema_;
  std::vector<NestedReader> readers_;  // in the order of the inputs
  std::vector<std::size_t> values_;    // of the current row: where each begins
};

}  // namespace

Result<std::vector<Tensor>> readNamedRows(Cursor rows, const Schema& schema) {
  return NamedRows(rows, schema).read();
}

}  // namespace infer::codec
