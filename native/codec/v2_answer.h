// SPDX-License-Identifier: Apache-2.0
// Outputs of a model -> an answer in the form of the Open Inference Protocol: JSON, and behind it
// the tensors that were asked for as bytes.
// Threads: made where the request is read, used once by whoever has its outputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/codec/schema.h"

namespace infer::codec {

// An output that was asked for.
struct V2Output {
  std::size_t index = 0;
  bool isBinary = false;
  std::uint64_t classes = 0;  // how many of the best are named instead; 0: the output as it is
};

// What the request said about its answer.
struct V2Plan {
  std::string id = {};                 // empty: none
  std::vector<V2Output> outputs = {};  // in this order; empty: all, as JSON
  bool isExact = false;  // refuses strings that JSON cannot carry, which are mended else
};

class V2Answer final : public EncodedAnswer {
 public:
  V2Answer(std::shared_ptr<const Schema> schema, V2Plan plan, std::size_t maxBytes);

  Result<EncodedText> write(const Outputs& outputs) const override;

 private:
  Result<void> check(const std::vector<const Tensor*>& shown) const;
  std::string header(const std::vector<const Tensor*>& shown) const;

  const std::shared_ptr<const Schema> schema_;
  V2Plan plan_;
  const std::size_t maxBytes_;
};

}  // namespace infer::codec
