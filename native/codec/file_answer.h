// SPDX-License-Identifier: Apache-2.0
// Outputs of a model -> the bytes of a file that programs for tables and arrays read: CSV, NPY,
// NPZ. Threads: made where the request is read, used once by whoever has its outputs.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/codec/answer.h"
#include "native/codec/schema.h"

namespace infer::codec {

class FileAnswer final : public EncodedAnswer {
 public:
  // CSV and NPY hold the first of the outputs that were asked for.
  FileAnswer(std::shared_ptr<const Schema> schema, const AnswerPlan& plan, Format format,
             std::size_t maxBytes);

  Result<EncodedText> write(const Outputs& outputs) const override;

 private:
  Result<void> check(const Outputs& outputs) const;

  const std::shared_ptr<const Schema> schema_;
  std::vector<std::size_t> outputs_;
  const Format format_;
  const std::size_t maxBytes_;
};

}  // namespace infer::codec
