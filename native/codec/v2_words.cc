// SPDX-License-Identifier: Apache-2.0
// The wording, and the small checks that are little more than it.
#include "native/codec/v2_words.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/schema.h"
#include "native/codec/text.h"
#include "native/codec/v2_parameters.h"
#include "native/codec/v2_request.h"

namespace infer::codec {
namespace {

// `'a','b'`
std::string listOf(std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view name : names) {
    text += text.empty() ? "'" : ",'";
    text += shortened(name) + "'";
  }
  return text;
}

// `[-1,16]`
std::string dimsOf(std::span<const std::int64_t> dims) {
  std::string text = "[";
  for (const std::int64_t dim : dims) {
    text += text.size() > 1 ? "," : "";
    text += std::to_string(dim);
  }
  return text + "]";
}

}  // namespace

Error V2Words::core(const std::string& text) const {
  return {ErrorCode::kBadInput,
          "[request id: " + (id.empty() ? std::string("<id_unknown>") : id) + "] " + text,
          {}};
}

Error V2Words::unknown(std::string_view kind, std::string_view name) const {
  return core("unexpected inference " + std::string(kind) + " '" + shortened(name) +
              "' for model '" + std::string(model) + "'");
}

Error V2Words::missing(const Schema& schema, std::span<const std::string_view> given) const {
  std::vector<std::string_view> absent;
  for (const TensorSpec& spec : schema.inputs) {
    if (std::ranges::find(given, std::string_view(spec.name)) == given.end()) {
      absent.emplace_back(spec.name);
    }
  }
  return core("expected " + std::to_string(schema.inputs.size()) + " inputs but got " +
              std::to_string(given.size()) + " inputs for model '" + std::string(model) +
              "'. Got input(s) [" + listOf(given) + "], but missing required input(s) [" +
              listOf(absent) + "]. Please provide all required input(s).");
}

Error V2Words::datatype(const TensorSpec& spec, std::string_view came) const {
  return core("inference input '" + spec.name + "' data-type is '" + shortened(came) +
              "', but model '" + std::string(model) + "' expects '" +
              std::string(datatypeOf(spec.type)) + "'");
}

Error V2Words::shape(const TensorSpec& spec, std::span<const std::int64_t> came) const {
  return core("unexpected shape for input '" + spec.name + "' for model '" + std::string(model) +
              "'. Expected " + dimsOf(spec.shape) + ", got " + dimsOf(came) +
              ". NOTE: -1 stands for any size.");
}

std::optional<Error> checkSources(const V2InputParameters& parameters, bool hasData) {
  std::vector<std::string_view> came;
  if (hasData) {
    came.emplace_back("'data'");
  }
  if (parameters.binaryBytes) {
    came.emplace_back("'binary_data_size'");
  }
  if (parameters.region) {
    came.emplace_back("'shared_memory_region'");
  }
  if (came.size() == 1) {
    return parameters.region ? std::optional(noRegion(*parameters.region)) : std::nullopt;
  }
  std::string list;
  for (const std::string_view one : came) {
    list += list.empty() ? "" : ", ";
    list += one;
  }
  return Error{ErrorCode::kBadInput,
               "Input must set only one of the following fields: 'data', 'binary_data_size' in "
               "'parameters', 'shared_memory_region' in 'parameters'. But got " +
                   (list.empty() ? std::string("none") : list),
               {}};
}

Error noRegion(std::string_view name) {
  return {ErrorCode::kBadInput, "Unable to find shared memory region: '" + shortened(name) + "'",
          std::string(kNoRegion)};
}

Error halfAsJson(std::string_view direction, const TensorSpec& spec) {
  const std::string role = direction == "sending" ? "output " : "input ";
  return {ErrorCode::kBadInput,
          std::string(direction) + " " + std::string(datatypeOf(spec.type)) +
              " data via JSON is not supported. Please use the binary data format for " + role +
              spec.name,
          {}};
}

std::optional<Error> checkV2Rows(const V2Words& words, const Schema& schema,
                                 const std::vector<Tensor>& inputs) {
  std::int64_t first = -1;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const TensorSpec& spec = schema.inputs[i];
    if (spec.shape.empty() || spec.shape[0] != kFreeAxis) {
      continue;
    }
    const std::int64_t rows = inputs[i].shape[0];
    if (schema.batchable && first >= 0 && rows != first) {
      return words.core("input '" + spec.name + "' batch size does not match other inputs for '" +
                        schema.name + "'");
    }
    if (rows > schema.maxRows) {
      return words.core("inference request batch-size must be <= " +
                        std::to_string(schema.maxRows) + " for '" + schema.name + "'");
    }
    first = rows;
  }
  return std::nullopt;
}

}  // namespace infer::codec
