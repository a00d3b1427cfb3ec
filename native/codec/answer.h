// SPDX-License-Identifier: Apache-2.0
// What a request says about its answer, and what writes one in each format.
// Threads: pure functions; any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "native/base/request.h"
#include "native/codec/schema.h"
#include "native/codec/v2_answer.h"

namespace infer::codec {

// The forms of a request, as bits.
enum Form : std::uint8_t {
  kV2 = 1,         // {"inputs": [{"name", "datatype", "shape", "data"}]}
  kInstances = 2,  // {"instances": [row, ...]}, a row as a value or as an object by input name
  kArray = 4,      // the only input as a nested array
  kLines = 8,      // JSON Lines: the rows of kInstances, each on a line of its own
  kCsv = 16,       // the only input as lines of comma-separated values
  kTensors = 32,   // no body: tensors
};
inline constexpr unsigned kAllForms = 7;  // of one JSON value

// The formats of an answer, in the order of answerFormats in lib/predict_types.ts.
enum class Format : std::uint8_t {
  kJson,   // in the form of the request
  kLines,  // JSON Lines: an entry of each output for each row
  kCsv,    // one output of one or two axes
  kNpy,    // one output, as NumPy's save() writes it
  kNpz,    // every output by name, as NumPy's savez() writes them
};

// What the request said about its answer.
struct AnswerPlan {
  Form form = kArray;
  V2Plan v2 = {};         // V2 only
  std::int64_t rows = 0;  // instances and lines only: how many came
};

// The indices of those that were asked for, else of all.
std::vector<std::size_t> outputsOf(const AnswerPlan& plan, const Schema& schema);

std::unique_ptr<EncodedAnswer> makeAnswer(const std::shared_ptr<const Schema>& schema,
                                          AnswerPlan plan, Format format, std::size_t maxBytes);

}  // namespace infer::codec
