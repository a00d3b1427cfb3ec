// SPDX-License-Identifier: Apache-2.0
// Requests as JSON in the form of the Open Inference Protocol (KServe V2).
// Threads: values; any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/cursor.h"
#include "native/codec/schema.h"

namespace infer::codec {

// The `inputs` of a request. walk() goes over the text once and notes where everything is, because
// members come in any order and of several of one name the last counts; data whose name, type and
// shape came before it are read on the way.
class V2Inputs {
 public:
  V2Inputs(std::string_view body, const Schema& schema) : body_(body), schema_(schema) {}

  // Steps over the value of `inputs` in any text; false when it is not JSON.
  bool walk(Cursor& cursor);
  // The tensors in the order of the schema, once the whole text has been walked.
  Result<std::vector<Tensor>> read();

 private:
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
  bool walkEntry(Cursor& cursor);
  bool walkData(Cursor& cursor, Entry& entry);
  Cursor cursorAt(std::size_t at) const { return Cursor(body_, at); }

  // The index of the input that the entry names, or kNowhere.
  std::size_t inputOf(const Entry& entry) const;
  bool hasDatatype(const Entry& entry, const TensorSpec& spec) const;
  Result<Shape> shapeOf(const Entry& entry, const TensorSpec& spec, std::size_t index) const;
  Result<std::int64_t> axisOf(Cursor cursor, const TensorSpec& spec, const std::string& where,
                              std::size_t axis) const;
  Result<Tensor> readEntry(Entry& entry, std::size_t index, std::size_t input);

  const std::string_view body_;
  const Schema& schema_;
  std::size_t at_ = kNowhere;
  bool isArray_ = false;
  std::vector<Entry> entries_;  // at most one more than the model has inputs: that one is wrong
};

// The outputs that were asked for, in that order; empty for all of them. `cursor` is at the value
// of `outputs`, in a text that has been walked before; so for the next.
Result<std::vector<std::size_t>> readV2Outputs(Cursor cursor, const Schema& schema);

// Options that change the meaning of the bytes must not be passed over in silence: an error when
// one of `names` is among the parameters and says anything but false or 0. `path`: of their owner,
// with the dot.
std::optional<Error> refuseParameters(Cursor cursor, const std::string& path,
                                      std::initializer_list<std::string_view> names);

}  // namespace infer::codec
