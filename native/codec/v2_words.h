// SPDX-License-Identifier: Apache-2.0
// Messages about requests of the Open Inference Protocol in the words that clients of Triton know.
// Source: the texts that its clients and tests compare with; ours follow where it has none.
// Threads: values; any.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/schema.h"
#include "native/codec/v2_parameters.h"

namespace infer::codec {

struct V2Words {
  std::string_view model;
  std::string id;  // of the request; empty: none

  // What is found out about a request, not about its bytes, says which one it is.
  Error core(const std::string& text) const;
  // `kind`: input or output.
  Error unknown(std::string_view kind, std::string_view name) const;
  Error missing(const Schema& schema, std::span<const std::string_view> given) const;
  Error datatype(const TensorSpec& spec, std::string_view came) const;
  Error shape(const TensorSpec& spec, std::span<const std::int64_t> came) const;
};

// The data of an input come from one place.
std::optional<Error> checkSources(const V2InputParameters& parameters, bool hasData);

Error noRegion(std::string_view name);

// Half floats as JSON: `direction` is receiving or sending.
Error halfAsJson(std::string_view direction, const TensorSpec& spec);

// Rows within the limit, and the same number of them in every input of a batchable model.
std::optional<Error> checkV2Rows(const V2Words& words, const Schema& schema,
                                 const std::vector<Tensor>& inputs);

}  // namespace infer::codec
