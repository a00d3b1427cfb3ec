// SPDX-License-Identifier: Apache-2.0
// Chooses the writer.
#include "native/codec/answer.h"

#include <cstddef>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "native/base/request.h"
#include "native/codec/file_answer.h"
#include "native/codec/json_answer.h"
#include "native/codec/schema.h"
#include "native/codec/v2_answer.h"

namespace infer::codec {

std::vector<std::size_t> outputsOf(const AnswerPlan& plan, const Schema& schema) {
  std::vector<std::size_t> outputs;
  outputs.reserve(schema.outputs.size());
  for (const V2Output& output : plan.v2.outputs) {
    outputs.push_back(output.index);
  }
  if (outputs.empty()) {
    outputs.resize(schema.outputs.size());
    std::iota(outputs.begin(), outputs.end(), std::size_t{0});
  }
  return outputs;
}

std::unique_ptr<EncodedAnswer> makeAnswer(const std::shared_ptr<const Schema>& schema,
                                          AnswerPlan plan, Format format, std::size_t maxBytes) {
  if (format == Format::kJson && plan.form == kV2) {
    return std::make_unique<V2Answer>(schema, std::move(plan.v2), maxBytes);
  }
  if (format == Format::kJson || format == Format::kLines) {
    return std::make_unique<JsonAnswer>(schema, plan, format, maxBytes);
  }
  return std::make_unique<FileAnswer>(schema, plan, format, maxBytes);
}

}  // namespace infer::codec
