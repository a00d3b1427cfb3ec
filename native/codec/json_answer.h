// SPDX-License-Identifier: Apache-2.0
// Outputs of a model -> the bytes of a JSON answer.
// Threads: made where the request is read, used once by whoever has its outputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/codec/json_request.h"
#include "native/codec/schema.h"

namespace infer::codec {

// What the request said about its answer.
struct AnswerPlan {
  Form form = kArray;
  std::string id = {};                    // V2 only; empty: none
  std::vector<std::size_t> outputs = {};  // V2 only: those that were asked for; empty: all
  std::int64_t rows = 0;                  // instances only: how many came
};

class JsonAnswer final : public EncodedAnswer {
 public:
  JsonAnswer(std::shared_ptr<const Schema> schema, AnswerPlan plan, std::size_t maxBytes);

  Result<std::string> write(const Outputs& outputs) const override;

 private:
  Result<void> checkSize(const Outputs& outputs, std::size_t& bytes) const;
  Result<void> checkInstances(const Outputs& outputs) const;
  void appendV2(std::string& out, const Outputs& outputs) const;
  void appendPredictions(std::string& out, const Outputs& outputs) const;

  const std::shared_ptr<const Schema> schema_;
  AnswerPlan plan_;
  const std::size_t maxBytes_;
};

}  // namespace infer::codec
