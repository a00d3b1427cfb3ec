// SPDX-License-Identifier: Apache-2.0
// Which axes belong together, and what stands where nothing was given.
#include "native/scheduler/padding.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/scheduler/pad_value.h"

namespace infer {
namespace {

std::string specText(const TensorSpec& spec) {
  return std::string(elementTypeInfo(spec.type).name) + " " + shapeText(spec.shape);
}

std::string nameOf(const TensorSpec& spec, std::size_t axis) {
  return axis < spec.axisNames.size() ? spec.axisNames[axis] : std::string();
}

bool isFree(const TensorSpec& spec, std::size_t axis) {
  return axis > 0 && spec.shape[axis] == kFreeAxis;
}

// Resolves the rules of one model, one after the other.
class Resolver {
 public:
  explicit Resolver(const Signature& signature) : signature_(signature) {
    const auto add = [](std::vector<Padding::Axes>& side, const TensorSpec& spec) {
      side.emplace_back().lengths.resize(spec.shape.size());
    };
    for (const TensorSpec& spec : signature.inputs) {
      add(padding_.inputs, spec);
    }
    for (const TensorSpec& spec : signature.outputs) {
      add(padding_.outputs, spec);
    }
  }

  Result<void> addInput(const PadRule& rule) {
    const std::string key = "batching.padding." + rule.input;
    const auto at = find(rule.input);
    if (!at) {
      return noInput("batching.padding", rule.input);
    }
    const TensorSpec& spec = signature_.inputs[*at];
    Padding::Axes& axes = padding_.inputs[*at];
    const auto value = elementOf(rule.value, spec.type);
    if (spec.type == ElementType::kString) {
      return bad(key, "expected an input of numbers, got " + specText(spec));
    }
    if (!value) {
      return bad(key + ".value", "expected a value of " +
                                     std::string(elementTypeInfo(spec.type).name) + ", got " +
                                     std::to_string(rule.value));
    }
    axes.value = *value;
    for (std::size_t axis = 1; axis < spec.shape.size(); ++axis) {
      if (isFree(spec, axis)) {
        axes.lengths[axis] = lengthOf(nameOf(spec, axis), rule.input, axis);
      }
    }
    if (!axes.padded()) {
      return bad(key, "expected an input with a free axis beside axis 0, got " + specText(spec));
    }
    return {};
  }

  // After every addInput().
  Result<void> addMask(const PadRule& rule) {
    const std::string key = "batching.padding." + rule.input + ".mask";
    const auto at = find(rule.mask);
    if (!at) {
      return noInput(key, rule.mask);
    }
    const TensorSpec& spec = signature_.inputs[*at];
    Padding::Axes& axes = padding_.inputs[*at];
    constexpr std::array kTypes = {ElementType::kFloat32, ElementType::kInt64, ElementType::kInt32,
                                   ElementType::kBool};
    if ((axes.padded() && !axes.isMask) || std::ranges::find(kTypes, spec.type) == kTypes.end()) {
      return bad(key,
                 "expected an input of float32, int64, int32 or bool that is not padded itself,"
                 " got \"" +
                     rule.mask + "\", " + specText(spec));
    }
    const auto input = find(rule.input);
    if (!input) {
      return noInput("batching.padding", rule.input);
    }
    const Padding::Axes& owner = padding_.inputs[*input];
    for (std::size_t axis = 1; axis < spec.shape.size(); ++axis) {
      if (!isFree(spec, axis)) {
        continue;
      }
      const std::string name = nameOf(spec, axis);
      axes.lengths[axis] = lengthNamed(name);
      if (name.empty() && owner.lengths.size() == spec.shape.size()) {
        axes.lengths[axis] = owner.lengths[axis];
      }
      if (!axes.lengths[axis]) {
        return bad(key, "expected the free axes of \"" + rule.input + "\", got \"" + rule.mask +
                            "\", " + specText(spec));
      }
    }
    axes.isMask = true;
    return {};
  }

  // After every addMask().
  Result<Padding> finish() {
    for (std::size_t i = 0; i < padding_.inputs.size(); ++i) {
      const TensorSpec& spec = signature_.inputs[i];
      for (std::size_t axis = 0; axis < spec.shape.size(); ++axis) {
        if (padding_.inputs[i].lengths[axis] || !lengthNamed(nameOf(spec, axis))) {
          continue;
        }
        return bad("batching.padding", "expected a value for the input \"" + spec.name +
                                           "\" too, whose axis " + std::to_string(axis) +
                                           " is the padded axis \"" + nameOf(spec, axis) + "\"");
      }
    }
    for (std::size_t i = 0; i < padding_.outputs.size(); ++i) {
      if (auto done = addOutput(signature_.outputs[i], padding_.outputs[i]); !done.ok()) {
        return std::move(done).error();
      }
    }
    return std::move(padding_);
  }

 private:
  static Error bad(const std::string& key, const std::string& problem) {
    return {ErrorCode::kBadInput, key + ": " + problem, {}};
  }

  Error noInput(const std::string& key, const std::string& name) const {
    std::string known;
    for (const TensorSpec& spec : signature_.inputs) {
      known += (known.empty() ? "\"" : ", \"") + spec.name + "\"";
    }
    return bad(key, "the model has no input \"" + name + "\"; its inputs are " + known);
  }

  std::optional<std::size_t> find(const std::string& name) const {
    const auto at = std::ranges::find(signature_.inputs, name, &TensorSpec::name);
    return at == signature_.inputs.end()
               ? std::nullopt
               : std::optional(static_cast<std::size_t>(at - signature_.inputs.begin()));
  }

  std::optional<std::size_t> lengthNamed(const std::string& name) const {
    const auto at = std::ranges::find(padding_.names, name);
    return name.empty() || at == padding_.names.end()
               ? std::nullopt
               : std::optional(static_cast<std::size_t>(at - padding_.names.begin()));
  }

  // An axis without a name is like no other.
  std::size_t lengthOf(const std::string& name, const std::string& input, std::size_t axis) {
    if (const auto known = lengthNamed(name)) {
      return *known;
    }
    padding_.names.push_back(name.empty() ? "axis " + std::to_string(axis) + " of " + input : name);
    return padding_.names.size() - 1;
  }

  bool isInputAxis(const std::string& name) const {
    return !name.empty() && std::ranges::any_of(signature_.inputs, [&name](const auto& spec) {
      return std::ranges::find(spec.axisNames, name) != spec.axisNames.end();
    });
  }

  Result<void> addOutput(const TensorSpec& spec, Padding::Axes& axes) const {
    for (std::size_t axis = 1; axis < spec.shape.size(); ++axis) {
      if (!isFree(spec, axis)) {
        continue;
      }
      const std::string name = nameOf(spec, axis);
      axes.lengths[axis] = lengthNamed(name);
      if (!isInputAxis(name) || (axes.lengths[axis] && spec.type == ElementType::kString)) {
        return bad("batching.padding",
                   "expected outputs of numbers whose free axes have the names "
                   "of axes of the inputs, got \"" +
                       spec.name + "\", " + specText(spec) + ", axis " + std::to_string(axis) +
                       (name.empty() ? " without a name" : " \"" + name + "\""));
      }
    }
    return {};
  }

  const Signature& signature_;
  Padding padding_;
};

bool isLeftOut(const Request& request, const Padding& padding, std::size_t input) {
  return !padding.inputs.empty() && padding.inputs[input].isMask &&
         request.inputs[input].shape.empty();
}

// The lengths of one input, and what else of its shape has to agree within a batch.
Result<void> addLengths(Request& request, const Signature& signature, const Padding& padding,
                        std::size_t input) {
  const Shape& shape = request.inputs[input].shape;
  for (std::size_t axis = 1; axis < shape.size(); ++axis) {
    const auto length = padding.inputs[input].lengths[axis];
    if (!length) {
      if (!padding.inputs[input].isMask) {  // whose other axes are fixed, and which may be left out
        request.tail.push_back(shape[axis]);
      }
      continue;
    }
    std::int64_t& known = request.lengths[*length];
    if (known != kFreeAxis && known != shape[axis]) {
      return Error{ErrorCode::kBadInput,
                   "input \"" + signature.inputs[input].name + "\": expected " +
                       std::to_string(known) + " along axis " + std::to_string(axis) + " (" +
                       padding.names[*length] + ") as in another input, got " +
                       std::to_string(shape[axis]),
                   {}};
    }
    known = shape[axis];
  }
  return {};
}

// Ones of a mask that was left out.
Result<Tensor> makeMask(const TensorSpec& spec, const Padding::Axes& axes, const Request& request) {
  Tensor mask{.type = spec.type, .shape = spec.shape, .bytes = {}, .strings = {}};
  mask.shape[0] = request.rows;
  for (std::size_t axis = 1; axis < axes.lengths.size(); ++axis) {
    if (const auto length = axes.lengths[axis]) {
      mask.shape[axis] = request.lengths[*length];
    }
  }
  const auto count = elementCount(mask.shape);
  if (!count.ok()) {
    return count.error();
  }
  const std::size_t size = elementTypeInfo(spec.type).bytes;
  const Element one = elementOf(1, spec.type).value_or(Element{});  // every type of masks has it
  mask.bytes = Bytes::allocate(count.value() * size);
  for (std::size_t i = 0; i < count.value(); ++i) {
    std::memcpy(mask.bytes.data() + i * size, one.data(), size);
  }
  return mask;
}

}  // namespace

bool Padding::Axes::padded() const {
  return std::ranges::any_of(lengths, [](const auto& length) { return length.has_value(); });
}

Result<Padding> resolvePadding(const std::vector<PadRule>& rules, const Signature& signature,
                               bool batchable) {
  if (rules.empty()) {
    return Padding{};
  }
  if (!batchable) {
    return Error{ErrorCode::kBadInput,
                 "batching.padding: expected none for a model whose requests cannot share a run",
                 {}};
  }
  Resolver resolver(signature);
  for (const PadRule& rule : rules) {
    if (auto done = resolver.addInput(rule); !done.ok()) {
      return std::move(done).error();
    }
  }
  for (const PadRule& rule : rules) {
    if (rule.mask.empty()) {
      continue;
    }
    if (auto done = resolver.addMask(rule); !done.ok()) {
      return std::move(done).error();
    }
  }
  return resolver.finish();
}

Result<void> measure(Request& request, const Signature& signature, const Padding& padding) {
  request.lengths.assign(padding.names.size(), kFreeAxis);
  std::size_t first = request.inputs.size();  // that is not left out
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    if (isLeftOut(request, padding, i)) {
      continue;
    }
    const Shape& shape = request.inputs[i].shape;
    if (first == request.inputs.size()) {
      first = i;
      request.rows = shape[0];
    }
    if (shape[0] != request.rows) {
      return Error{ErrorCode::kBadInput,
                   "input \"" + signature.inputs[i].name + "\": expected " +
                       std::to_string(request.rows) + " rows as in \"" +
                       signature.inputs[first].name + "\", got " + std::to_string(shape[0]),
                   {}};
    }
    if (padding.inputs.empty()) {
      request.tail.insert(request.tail.end(), shape.begin() + 1, shape.end());
    } else if (auto done = addLengths(request, signature, padding, i); !done.ok()) {
      return done;
    }
  }
  for (std::size_t i = 0; i < request.inputs.size(); ++i) {
    if (isLeftOut(request, padding, i)) {
      auto mask = makeMask(signature.inputs[i], padding.inputs[i], request);
      if (!mask.ok()) {
        return std::move(mask).error();
      }
      request.inputs[i] = std::move(mask).value();
    }
  }
  return {};
}

}  // namespace infer
