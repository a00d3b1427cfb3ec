// SPDX-License-Identifier: Apache-2.0
// A bounds-checked walk over the operator types of an ONNX file; everything else is skipped unread.
#include "native/engine/onnx/onnx_graph.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace infer::onnx {
namespace {

using Bytes = std::span<const std::byte>;

// Operators of ai.onnx and ai.onnx.ml whose work depends on nothing but the shapes of their inputs.
// Sorted.
constexpr std::array kSteadyOperators = std::to_array<std::string_view>({"Abs",
                                                                         "Add",
                                                                         "And",
                                                                         "ArgMax",
                                                                         "ArgMin",
                                                                         "ArrayFeatureExtractor",
                                                                         "AveragePool",
                                                                         "BatchNormalization",
                                                                         "Binarizer",
                                                                         "Cast",
                                                                         "Ceil",
                                                                         "Clip",
                                                                         "Concat",
                                                                         "Constant",
                                                                         "Conv",
                                                                         "Div",
                                                                         "Dropout",
                                                                         "Elu",
                                                                         "Equal",
                                                                         "Erf",
                                                                         "Exp",
                                                                         "Flatten",
                                                                         "Floor",
                                                                         "Gather",
                                                                         "Gelu",
                                                                         "Gemm",
                                                                         "GlobalAveragePool",
                                                                         "GlobalMaxPool",
                                                                         "Greater",
                                                                         "GreaterOrEqual",
                                                                         "HardSigmoid",
                                                                         "HardSwish",
                                                                         "Identity",
                                                                         "Imputer",
                                                                         "LayerNormalization",
                                                                         "LeakyRelu",
                                                                         "Less",
                                                                         "LessOrEqual",
                                                                         "LinearClassifier",
                                                                         "LinearRegressor",
                                                                         "Log",
                                                                         "LogSoftmax",
                                                                         "MatMul",
                                                                         "Max",
                                                                         "MaxPool",
                                                                         "Mean",
                                                                         "Min",
                                                                         "Mul",
                                                                         "Neg",
                                                                         "Normalizer",
                                                                         "Not",
                                                                         "Or",
                                                                         "PRelu",
                                                                         "Pow",
                                                                         "Reciprocal",
                                                                         "ReduceMax",
                                                                         "ReduceMean",
                                                                         "ReduceMin",
                                                                         "ReduceSum",
                                                                         "Relu",
                                                                         "Reshape",
                                                                         "Round",
                                                                         "SVMClassifier",
                                                                         "SVMRegressor",
                                                                         "Scaler",
                                                                         "Selu",
                                                                         "Shape",
                                                                         "Sigmoid",
                                                                         "Softmax",
                                                                         "Softplus",
                                                                         "Softsign",
                                                                         "Sqrt",
                                                                         "Squeeze",
                                                                         "Sub",
                                                                         "Sum",
                                                                         "Tanh",
                                                                         "Transpose",
                                                                         "TreeEnsembleClassifier",
                                                                         "TreeEnsembleRegressor",
                                                                         "Unsqueeze",
                                                                         "Where"});
static_assert(std::ranges::is_sorted(kSteadyOperators));

// Field numbers of onnx.proto.
constexpr std::uint32_t kModelGraph = 7;
constexpr std::uint32_t kModelFunctions = 25;
constexpr std::uint32_t kGraphNode = 1;
constexpr std::uint32_t kNodeOperator = 4;
constexpr std::uint32_t kNodeDomain = 7;

// One field of a protobuf message; `bytes` for a length-delimited one, else empty.
struct Field {
  std::uint32_t number = 0;
  Bytes bytes;
};

// Reads the fields of one message one after the other.
// @source Protocol Buffers, "Encoding": varints, tags, wire types 0, 1, 2 and 5.
class Message {
 public:
  explicit Message(Bytes bytes) : rest_(bytes) {}
  bool broken() const { return broken_; }

  // nullopt at the end, and when the bytes are no message.
  std::optional<Field> next() {
    if (rest_.empty()) {
      return std::nullopt;
    }
    constexpr std::uint64_t kWireTypeBits = 3;
    const std::uint64_t tag = varint();
    Field field{.number = static_cast<std::uint32_t>(tag >> kWireTypeBits), .bytes = {}};
    switch (tag & ((1U << kWireTypeBits) - 1)) {
      case 0:
        varint();
        break;
      case 1:
        take(sizeof(std::uint64_t));
        break;
      case 2:
        field.bytes = take(varint());
        break;
      case 5:
        take(sizeof(std::uint32_t));
        break;
      default:
        broken_ = true;
    }
    return broken_ ? std::nullopt : std::optional(field);
  }

 private:
  std::uint64_t varint() {
    constexpr unsigned kBits = 7;
    constexpr unsigned kMost = 64;
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < kMost && !rest_.empty(); shift += kBits) {
      const auto byte = static_cast<std::uint64_t>(rest_.front());
      rest_ = rest_.subspan(1);
      value |= (byte & 0x7FU) << shift;
      if (byte < 0x80U) {
        return value;
      }
    }
    broken_ = true;
    return 0;
  }

  Bytes take(std::uint64_t count) {
    if (broken_ || count > rest_.size()) {
      broken_ = true;
      return {};
    }
    const Bytes taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  Bytes rest_;
  bool broken_ = false;
};

std::string_view textOf(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool isSteadyNode(Bytes node) {
  std::string_view type;
  std::string_view domain;
  Message fields(node);
  while (const auto field = fields.next()) {
    if (field->number == kNodeOperator) {
      type = textOf(field->bytes);
    } else if (field->number == kNodeDomain) {
      domain = textOf(field->bytes);
    }
  }
  const bool known = domain.empty() || domain == "ai.onnx" || domain == "ai.onnx.ml";
  return !fields.broken() && known && std::ranges::binary_search(kSteadyOperators, type);
}

bool isSteadyGraph(Bytes graph) {
  Message fields(graph);
  while (const auto field = fields.next()) {
    if (field->number == kGraphNode && !isSteadyNode(field->bytes)) {
      return false;
    }
  }
  return !fields.broken();
}

}  // namespace

bool hasSteadyCost(std::span<const std::byte> model) {
  bool found = false;
  Message fields(model);
  while (const auto field = fields.next()) {
    if (field->number == kModelFunctions ||
        (field->number == kModelGraph && !isSteadyGraph(field->bytes))) {
      return false;
    }
    found = found || field->number == kModelGraph;
  }
  return found && !fields.broken();
}

}  // namespace infer::onnx
