// SPDX-License-Identifier: Apache-2.0
// The `inputs` of a request in the form of the Open Inference Protocol, as they stand in the text.
// Threads: values; any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/cursor.h"
#include "native/codec/schema.h"

namespace infer::codec {

// walk() goes over the text once and notes where everything is, because members come in any order
// and of several of one name the last counts; data whose name, type and shape came before it are
// read on the way.
class V2Entries {
 public:
  struct Entry {
    std::size_t at = kNowhere;
    std::size_t name = kNowhere;
    std::size_t datatype = kNowhere;
    std::size_t shape = kNowhere;
    std::size_t data = kNowhere;
    std::size_t parameters = kNowhere;
    bool isObject = false;
    std::optional<Tensor> tensor;  // read on the way
  };

  // `text`: at the start of the JSON. `bodyBytes`: of all that came, which no axis can exceed.
  V2Entries(Cursor text, const Schema& schema, std::size_t bodyBytes)
      : text_(text), schema_(schema), bodyBytes_(bodyBytes) {}

  // Steps over the value of `inputs` in any text; false when it is not JSON.
  bool walk(Cursor& cursor);

  // The rest is for a text that has been walked to its end.
  bool isArray() const { return isArray_; }
  std::size_t at() const { return at_; }
  // At most one more than the model has inputs: that one is wrong.
  std::vector<Entry>& all() { return entries_; }
  const std::vector<Entry>& all() const { return entries_; }

  const Schema& schema() const { return schema_; }
  Cursor cursorAt(std::size_t at) const;
  // What stands there, or that nothing came.
  std::string got(std::size_t at) const;
  // The index of the input that the entry names, or kNowhere.
  std::size_t inputOf(const Entry& entry) const;
  bool hasDatatype(const Entry& entry, const TensorSpec& spec) const;
  // One that `spec` allows; `index`: of the entry.
  Result<Shape> shapeOf(const Entry& entry, const TensorSpec& spec, std::size_t index) const;

 private:
  bool walkEntry(Cursor& cursor);
  bool walkData(Cursor& cursor, Entry& entry);
  Result<std::int64_t> axisOf(Cursor cursor, const TensorSpec& spec, const std::string& where,
                              std::size_t axis) const;

  const Cursor text_;
  const Schema& schema_;
  const std::size_t bodyBytes_;
  std::size_t at_ = kNowhere;
  bool isArray_ = false;
  std::vector<Entry> entries_;
};

// The index of the one whose name stands at `cursor`; kNowhere when there is none.
std::size_t findSpec(Cursor cursor, std::span<const TensorSpec> specs);

// `inputs[2].name`
std::string pathOf(std::string_view list, std::size_t index, std::string_view member = {});

}  // namespace infer::codec
