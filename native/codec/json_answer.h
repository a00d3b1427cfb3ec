// SPDX-License-Identifier: Apache-2.0
// Outputs of a model -> the bytes of a JSON answer to an array or to instances.
// Threads: made where the request is read, used once by whoever has its outputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/codec/json_request.h"
#include "native/codec/schema.h"

namespace infer::codec {

// What the request said about its answer.
struct AnswerPlan {
  Form form = kArray;     // or kInstances
  std::int64_t rows = 0;  // instances only: how many came
};

class JsonAnswer final : public EncodedAnswer {
 public:
  JsonAnswer(std::shared_ptr<const Schema> schema, AnswerPlan plan, std::size_t maxBytes);

  Result<EncodedText> write(const Outputs& outputs) const override;

 private:
  Result<void> checkSize(const Outputs& outputs, std::size_t& bytes) const;
  Result<void> checkInstances(const Outputs& outputs) const;
  void appendPredictions(std::string& out, const Outputs& outputs) const;

  const std::shared_ptr<const Schema> schema_;
  const AnswerPlan plan_;
  const std::size_t maxBytes_;
};

}  // namespace infer::codec
