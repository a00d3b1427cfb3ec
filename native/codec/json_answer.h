// SPDX-License-Identifier: Apache-2.0
// Outputs of a model -> the bytes of an answer in JSON, but for that of the Open Inference
// Protocol, or in JSON Lines. Threads: made where the request is read, used once by whoever has its
// outputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/codec/answer.h"
#include "native/codec/schema.h"

namespace infer::codec {

class JsonAnswer final : public EncodedAnswer {
 public:
  // `format`: kJson or kLines.
  JsonAnswer(std::shared_ptr<const Schema> schema, const AnswerPlan& plan, Format format,
             std::size_t maxBytes);

  Result<EncodedText> write(const Outputs& outputs) const override;

 private:
  Result<void> checkSize(const Outputs& outputs, std::size_t& bytes) const;
  Result<void> checkRows(const Outputs& outputs) const;
  void appendPrediction(std::string& out, const Outputs& outputs, std::int64_t row) const;
  void appendPredictions(std::string& out, const Outputs& outputs) const;
  void appendLines(std::string& out, const Outputs& outputs) const;
  void appendNamed(std::string& out, const Outputs& outputs) const;

  const std::shared_ptr<const Schema> schema_;
  const Form form_;
  const std::int64_t rows_;
  std::vector<std::size_t> outputs_;  // that are shown
  const Format format_;
  const std::size_t maxBytes_;
};

}  // namespace infer::codec
