// SPDX-License-Identifier: Apache-2.0
// From the notation that test/fixtures/README.md describes to tensors.
#include "test/native/fixtures.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <limits>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/tensor.h"
#include "test/native/json.h"
#include "test/native/tensors.h"

namespace test {
namespace {

using infer::ElementType;
using infer::Shape;
using infer::Tensor;

ElementType typeNamed(std::string_view name) {
  const auto* at = std::ranges::find(infer::kElementTypes, name, &infer::ElementTypeInfo::name);
  if (at == infer::kElementTypes.end()) {
    throw std::runtime_error("an unknown element type: " + std::string(name));
  }
  return static_cast<ElementType>(at - infer::kElementTypes.begin());
}

double numberOf(const Json& value) {
  if (value.kind == Json::Kind::kNumber) {
    return value.number;
  }
  if (value.text == "NaN") {
    return std::numeric_limits<double>::quiet_NaN();
  }
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return value.text == "-Infinity" ? -kInfinity : kInfinity;
}

template <typename T, typename Read>
Tensor read(ElementType type, const Shape& shape, const Json& data, Read element) {
  std::vector<T> values;
  values.reserve(data.items.size());
  for (const Json& item : data.items) {
    values.push_back(static_cast<T>(element(item)));
  }
  return tensorOf(type, shape, values);
}

Tensor readNumbers(ElementType type, const Shape& shape, const Json& data) {
  switch (type) {
    case ElementType::kFloat32:
      return read<float>(type, shape, data, numberOf);
    case ElementType::kFloat64:
      return read<double>(type, shape, data, numberOf);
    case ElementType::kInt8:
      return read<std::int8_t>(type, shape, data, numberOf);
    case ElementType::kInt16:
      return read<std::int16_t>(type, shape, data, numberOf);
    case ElementType::kInt32:
      return read<std::int32_t>(type, shape, data, numberOf);
    case ElementType::kInt64:
      return read<std::int64_t>(type, shape, data,
                                [](const Json& item) { return std::stoll(item.text); });
    case ElementType::kUInt64:
      return read<std::uint64_t>(type, shape, data,
                                 [](const Json& item) { return std::stoull(item.text); });
    case ElementType::kUInt32:
      return read<std::uint32_t>(type, shape, data, numberOf);
    case ElementType::kUInt8:
    case ElementType::kBool:
      return read<std::uint8_t>(type, shape, data, numberOf);
    default:  // uint16, and the bits of float16 and bfloat16
      return read<std::uint16_t>(type, shape, data, numberOf);
  }
}

Tensor readRepeated(const Shape& shape, const Json& rows) {
  std::vector<float> values;
  for (const Json& row : rows.items) {
    values.insert(values.end(), static_cast<std::size_t>(shape[1]), static_cast<float>(row.number));
  }
  return floats(shape, values);
}

Tensor readTensor(const Json& json) {
  const ElementType type = typeNamed(json.at("type").text);
  Shape shape;
  for (const Json& dim : json.at("shape").items) {
    shape.push_back(static_cast<std::int64_t>(dim.number));
  }
  if (const Json* rows = json.find("everyValueOfRow")) {
    return readRepeated(shape, *rows);
  }
  const Json& data = json.at("data");
  if (type != ElementType::kString) {
    return readNumbers(type, shape, data);
  }
  std::vector<std::string> values;
  values.reserve(data.items.size());
  for (const Json& item : data.items) {
    values.push_back(item.text);
  }
  return strings(shape, std::move(values));
}

std::map<std::string, Tensor> readTensors(const Json* json) {
  std::map<std::string, Tensor> tensors;
  if (json != nullptr) {
    for (const auto& [name, tensor] : json->members) {
      tensors.emplace(name, readTensor(tensor));
    }
  }
  return tensors;
}

FixtureCase readCase(const std::string& model, const Json& json) {
  FixtureCase one{.model = model,
                  .inputs = readTensors(json.find("inputs")),
                  .outputs = readTensors(json.find("outputs")),
                  .fails = json.find("fails") == nullptr ? "" : json.at("fails").text,
                  .notTensors = {}};
  if (const Json* names = json.find("notTensors")) {
    for (const Json& name : names->items) {
      one.notTensors.push_back(name.text);
    }
  }
  return one;
}

}  // namespace

std::string fixture(const std::string& name) {
  return std::string(INFER_SOURCE_DIR) + "/test/fixtures/" + name;
}

Fixtures readFixtures() {
  std::ostringstream text;
  text << std::ifstream(fixture("expected.json")).rdbuf();
  const Json json = parseJson(text.str());
  Fixtures fixtures{.tolerance = json.at("tolerance").number, .cases = {}};
  for (const auto& [model, cases] : json.at("models").members) {
    for (const Json& one : cases.items) {
      fixtures.cases.push_back(readCase(model, one));
    }
  }
  return fixtures;
}

}  // namespace test
