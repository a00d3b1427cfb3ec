// SPDX-License-Identifier: Apache-2.0
// A bounds-checked walk over the operators of an ONNX file; everything else is skipped unread.
#include "native/engine/onnx/onnx_graph.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace infer::onnx {
namespace {

// Operators of ai.onnx and ai.onnx.ml whose work depends on nothing but the shapes of their inputs.
// Sorted.
// clang-format off
constexpr std::array kSteadyOperators = std::to_array<std::string_view>({
    "Abs", "Add", "And", "ArgMax", "ArgMin", "ArrayFeatureExtractor", "AveragePool",
    "BatchNormalization", "Binarizer", "Cast", "Ceil", "Clip", "Concat", "Constant", "Conv", "Div",
    "Dropout", "Elu", "Equal", "Erf", "Exp", "Flatten", "Floor", "Gather", "Gelu", "Gemm",
    "GlobalAveragePool", "GlobalMaxPool", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish",
    "Identity", "Imputer", "LayerNormalization", "LeakyRelu", "Less", "LessOrEqual",
    "LinearClassifier", "LinearRegressor", "Log", "LogSoftmax", "MatMul", "Max", "MaxPool", "Mean",
    "Min", "Mul", "Neg", "Normalizer", "Not", "Or", "PRelu", "Pow", "Reciprocal", "ReduceMax",
    "ReduceMean", "ReduceMin", "ReduceSum", "Relu", "Reshape", "Round", "SVMClassifier",
    "SVMRegressor", "Scaler", "Selu", "Shape", "Sigmoid", "Softmax", "Softplus", "Softsign",
    "Sqrt", "Squeeze", "Sub", "Sum", "Tanh", "Transpose", "TreeEnsembleClassifier",
    "TreeEnsembleRegressor", "Unsqueeze", "Where"});
// clang-format on
static_assert(std::ranges::is_sorted(kSteadyOperators));

// Those whose output has a shape that inputs after the first say. Sorted.
constexpr std::array kShapedByData = std::to_array<std::string_view>(
    {"ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Reshape", "Squeeze", "Unsqueeze"});
static_assert(std::ranges::is_sorted(kShapedByData));

// Field numbers of onnx.proto.
constexpr std::uint32_t kModelGraph = 7;
constexpr std::uint32_t kModelFunctions = 25;
constexpr std::uint32_t kGraphNode = 1;
constexpr std::uint32_t kGraphInitializer = 5;
constexpr std::uint32_t kNodeInput = 1;
constexpr std::uint32_t kNodeOutput = 2;
constexpr std::uint32_t kNodeOperator = 4;
constexpr std::uint32_t kNodeDomain = 7;
constexpr std::uint32_t kTensorName = 8;

struct Range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// The file through a window, so that looking costs the same whatever the size of the weights.
class Source {
 public:
  explicit Source(const ReadAt& read) : read_(read) {}

  std::optional<std::uint8_t> byte(std::uint64_t at) {
    if (at < begin_ || at - begin_ >= filled_) {
      begin_ = at;
      filled_ = read_(at, window_);
    }
    return filled_ == 0 ? std::nullopt
                        : std::optional(static_cast<std::uint8_t>(window_[at - begin_]));
  }

  // nullopt also for a text longer than any sensible name.
  std::optional<std::string> text(const Range& range) {
    constexpr std::uint64_t kLongest = 4096;
    std::string text;
    for (std::uint64_t at = range.begin; at < range.end; ++at) {
      const auto next = range.end - range.begin > kLongest ? std::nullopt : byte(at);
      if (!next) {
        return std::nullopt;
      }
      text.push_back(static_cast<char>(*next));
    }
    return text;
  }

 private:
  const ReadAt& read_;
  std::uint64_t begin_ = 0;
  std::size_t filled_ = 0;
  std::array<std::byte, 4096> window_{};
};

// One field of a protobuf message; `bytes` for a length-delimited one, else empty.
struct Field {
  std::uint32_t number = 0;
  Range bytes;
};

// Reads the fields of one message one after the other.
// @source Protocol Buffers, "Encoding": varints, tags, wire types 0, 1, 2 and 5.
class Message {
 public:
  Message(Source& source, const Range& bytes) : source_(source), rest_(bytes) {}
  bool broken() const { return broken_; }

  // nullopt at the end, and when the bytes are no message.
  std::optional<Field> next() {
    if (broken_ || rest_.begin == rest_.end) {
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

  // The text of a field of this message; empty, and the message broken, when there is none.
  std::string text(const Field& field) {
    auto text = source_.text(field.bytes);
    broken_ = broken_ || !text;
    return text.value_or("");
  }

 private:
  std::uint64_t varint() {
    constexpr unsigned kBits = 7;
    constexpr unsigned kMost = 64;
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < kMost && rest_.begin < rest_.end; shift += kBits) {
      const auto byte = source_.byte(rest_.begin);
      if (!byte) {
        break;
      }
      ++rest_.begin;
      value |= (static_cast<std::uint64_t>(*byte) & 0x7FU) << shift;
      if (*byte < 0x80U) {
        return value;
      }
    }
    broken_ = true;
    return 0;
  }

  Range take(std::uint64_t count) {
    if (broken_ || count > rest_.end - rest_.begin) {
      broken_ = true;
      return {};
    }
    const Range taken{.begin = rest_.begin, .end = rest_.begin + count};
    rest_.begin = taken.end;
    return taken;
  }

  Source& source_;
  Range rest_;
  bool broken_ = false;
};

using Names = std::set<std::string, std::less<>>;

struct Node {
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::string type;
  std::string domain;
};

std::optional<Node> readNode(Source& source, const Range& bytes) {
  Node node;
  Message fields(source, bytes);
  while (const auto field = fields.next()) {
    if (field->number == kNodeInput) {
      node.inputs.push_back(fields.text(*field));
    } else if (field->number == kNodeOutput) {
      node.outputs.push_back(fields.text(*field));
    } else if (field->number == kNodeOperator) {
      node.type = fields.text(*field);
    } else if (field->number == kNodeDomain) {
      node.domain = fields.text(*field);
    }
  }
  return fields.broken() ? std::nullopt : std::optional(node);
}

// `constants`: values that no data can change, only shapes; those that the node makes are added.
bool isSteadyNode(const Node& node, Names& constants) {
  const bool known = node.domain.empty() || node.domain == "ai.onnx" || node.domain == "ai.onnx.ml";
  if (!known || !std::ranges::binary_search(kSteadyOperators, node.type)) {
    return false;
  }
  const auto isConstant = [&constants](const std::string& name) {
    return name.empty() || constants.contains(name);
  };
  const std::span<const std::string> inputs = node.inputs;
  if (std::ranges::binary_search(kShapedByData, node.type) && inputs.size() > 1 &&
      !std::ranges::all_of(inputs.subspan(1), isConstant)) {
    return false;
  }
  if (node.type == "Shape" || std::ranges::all_of(inputs, isConstant)) {
    constants.insert(node.outputs.begin(), node.outputs.end());
  }
  return true;
}

// The names of the weights; nullopt when the bytes are no graph.
std::optional<Names> readConstants(Source& source, const Range& graph) {
  Names names;
  Message fields(source, graph);
  while (const auto field = fields.next()) {
    if (field->number != kGraphInitializer) {
      continue;
    }
    Message tensor(source, field->bytes);
    while (const auto part = tensor.next()) {
      if (part->number == kTensorName) {
        names.insert(tensor.text(*part));
      }
    }
    if (tensor.broken()) {
      return std::nullopt;
    }
  }
  return fields.broken() ? std::nullopt : std::optional(names);
}

bool isSteadyGraph(Source& source, const Range& graph) {
  std::optional<Names> constants = readConstants(source, graph);
  if (!constants) {
    return false;
  }
  Message fields(source, graph);
  while (const auto field = fields.next()) {  // ONNX lists nodes after those whose outputs they use
    if (field->number == kGraphNode) {
      const std::optional<Node> node = readNode(source, field->bytes);
      if (!node || !isSteadyNode(*node, *constants)) {
        return false;
      }
    }
  }
  return !fields.broken();
}

}  // namespace

bool hasSteadyCost(std::uint64_t size, const ReadAt& read) {
  Source source(read);
  bool found = false;
  Message fields(source, {.begin = 0, .end = size});
  while (const auto field = fields.next()) {
    if (field->number == kModelFunctions ||
        (field->number == kModelGraph && !isSteadyGraph(source, field->bytes))) {
      return false;
    }
    found = found || field->number == kModelGraph;
  }
  return found && !fields.broken();
}

}  // namespace infer::onnx
