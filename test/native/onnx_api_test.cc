// SPDX-License-Identifier: Apache-2.0
// Our declarations of ONNX Runtime's function table against its own header, where one is installed.
#include "native/engine/onnx/onnx_api.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <string_view>

#include "test/engines/onnx_header.h"
#include "test/native/check.h"

namespace {

using infer::onnx::Api;

template <std::size_t Slot, typename Signature>
constexpr std::size_t slot(infer::onnx::Function<Slot, Signature> Api::* /*member*/) {
  return Slot;
}

struct Declared {
  std::string_view name;  // as the header has it
  std::size_t slot;
};

constexpr Declared kDeclared[] = {
    {"GetErrorCode", slot(&Api::getErrorCode)},
    {"GetErrorMessage", slot(&Api::getErrorMessage)},
    {"CreateEnvWithCustomLogger", slot(&Api::createEnvWithCustomLogger)},
    {"CreateSession", slot(&Api::createSession)},
    {"Run", slot(&Api::run)},
    {"CreateSessionOptions", slot(&Api::createSessionOptions)},
    {"DisableMemPattern", slot(&Api::disableMemPattern)},
    {"SetSessionLogSeverityLevel", slot(&Api::setSessionLogSeverityLevel)},
    {"SetSessionGraphOptimizationLevel", slot(&Api::setSessionGraphOptimizationLevel)},
    {"SetIntraOpNumThreads", slot(&Api::setIntraOpNumThreads)},
    {"SetInterOpNumThreads", slot(&Api::setInterOpNumThreads)},
    {"SessionGetInputCount", slot(&Api::sessionGetInputCount)},
    {"SessionGetOutputCount", slot(&Api::sessionGetOutputCount)},
    {"SessionGetInputTypeInfo", slot(&Api::sessionGetInputTypeInfo)},
    {"SessionGetOutputTypeInfo", slot(&Api::sessionGetOutputTypeInfo)},
    {"SessionGetInputName", slot(&Api::sessionGetInputName)},
    {"SessionGetOutputName", slot(&Api::sessionGetOutputName)},
    {"CreateRunOptions", slot(&Api::createRunOptions)},
    {"RunOptionsSetTerminate", slot(&Api::runOptionsSetTerminate)},
    {"CreateTensorAsOrtValue", slot(&Api::createTensorAsOrtValue)},
    {"CreateTensorWithDataAsOrtValue", slot(&Api::createTensorWithDataAsOrtValue)},
    {"IsTensor", slot(&Api::isTensor)},
    {"GetTensorMutableData", slot(&Api::getTensorMutableData)},
    {"GetStringTensorDataLength", slot(&Api::getStringTensorDataLength)},
    {"GetStringTensorContent", slot(&Api::getStringTensorContent)},
    {"CastTypeInfoToTensorInfo", slot(&Api::castTypeInfoToTensorInfo)},
    {"GetOnnxTypeFromTypeInfo", slot(&Api::getOnnxTypeFromTypeInfo)},
    {"GetTensorElementType", slot(&Api::getTensorElementType)},
    {"GetDimensionsCount", slot(&Api::getDimensionsCount)},
    {"GetDimensions", slot(&Api::getDimensions)},
    {"GetSymbolicDimensions", slot(&Api::getSymbolicDimensions)},
    {"GetTensorTypeAndShape", slot(&Api::getTensorTypeAndShape)},
    {"CreateCpuMemoryInfo", slot(&Api::createCpuMemoryInfo)},
    {"AllocatorFree", slot(&Api::allocatorFree)},
    {"GetAllocatorWithDefaultOptions", slot(&Api::getAllocatorWithDefaultOptions)},
    {"ReleaseEnv", slot(&Api::releaseEnv)},
    {"ReleaseStatus", slot(&Api::releaseStatus)},
    {"ReleaseMemoryInfo", slot(&Api::releaseMemoryInfo)},
    {"ReleaseSession", slot(&Api::releaseSession)},
    {"ReleaseValue", slot(&Api::releaseValue)},
    {"ReleaseRunOptions", slot(&Api::releaseRunOptions)},
    {"ReleaseTypeInfo", slot(&Api::releaseTypeInfo)},
    {"ReleaseTensorTypeAndShapeInfo", slot(&Api::releaseTensorInfo)},
    {"ReleaseSessionOptions", slot(&Api::releaseSessionOptions)},
    {"AddSessionConfigEntry", slot(&Api::addSessionConfigEntry)},
    {"GetResizedStringTensorElementBuffer", slot(&Api::getResizedStringTensorElementBuffer)},
    {"SetUserLoggingFunction", slot(&Api::setUserLoggingFunction)},
};

const check::Add kComplete("every function that we declare is in the table of this test", [] {
  // An Api is the pointer to the library's table and one pointer for each function.
  check::equal(std::size(kDeclared), sizeof(Api) / sizeof(void*) - 1, "functions");
});

const check::Add kSlots("every slot is the one in ONNX Runtime's header", [] {
  const auto header = test::headerSlots();
  if (header.empty()) {
    check::skip("onnxruntime_c_api.h is not installed");
    return;
  }
  for (const Declared& ours : kDeclared) {
    const auto theirs = std::ranges::find(header, ours.name, &test::HeaderSlot::name);
    if (check::that(theirs != header.end(), std::string(ours.name) + " in the header's list")) {
      check::equal(ours.slot, theirs->slot, std::string(ours.name));
    }
  }
});

}  // namespace
