// SPDX-License-Identifier: Apache-2.0
// Slots as the installed header of ONNX Runtime has them. Compiled only where there is one.
// Threads: any.
#include <onnxruntime_c_api.h>

#include <cstddef>
#include <vector>

#include "test/engines/onnx_header.h"

namespace test {
namespace {

constexpr std::size_t slotOf(std::size_t offset) {
  return offset / sizeof(void (*)());
}

}  // namespace

std::vector<HeaderSlot> headerSlots() {
  return {
      {"GetErrorCode", slotOf(offsetof(OrtApi, GetErrorCode))},
      {"GetErrorMessage", slotOf(offsetof(OrtApi, GetErrorMessage))},
      {"CreateEnvWithCustomLogger", slotOf(offsetof(OrtApi, CreateEnvWithCustomLogger))},
      {"CreateSession", slotOf(offsetof(OrtApi, CreateSession))},
      {"Run", slotOf(offsetof(OrtApi, Run))},
      {"CreateSessionOptions", slotOf(offsetof(OrtApi, CreateSessionOptions))},
      {"DisableMemPattern", slotOf(offsetof(OrtApi, DisableMemPattern))},
      {"SetSessionLogSeverityLevel", slotOf(offsetof(OrtApi, SetSessionLogSeverityLevel))},
      {"SetSessionGraphOptimizationLevel",
       slotOf(offsetof(OrtApi, SetSessionGraphOptimizationLevel))},
      {"SetIntraOpNumThreads", slotOf(offsetof(OrtApi, SetIntraOpNumThreads))},
      {"SetInterOpNumThreads", slotOf(offsetof(OrtApi, SetInterOpNumThreads))},
      {"SessionGetInputCount", slotOf(offsetof(OrtApi, SessionGetInputCount))},
      {"SessionGetOutputCount", slotOf(offsetof(OrtApi, SessionGetOutputCount))},
      {"SessionGetInputTypeInfo", slotOf(offsetof(OrtApi, SessionGetInputTypeInfo))},
      {"SessionGetOutputTypeInfo", slotOf(offsetof(OrtApi, SessionGetOutputTypeInfo))},
      {"SessionGetInputName", slotOf(offsetof(OrtApi, SessionGetInputName))},
      {"SessionGetOutputName", slotOf(offsetof(OrtApi, SessionGetOutputName))},
      {"CreateRunOptions", slotOf(offsetof(OrtApi, CreateRunOptions))},
      {"RunOptionsSetTerminate", slotOf(offsetof(OrtApi, RunOptionsSetTerminate))},
      {"CreateTensorAsOrtValue", slotOf(offsetof(OrtApi, CreateTensorAsOrtValue))},
      {"CreateTensorWithDataAsOrtValue", slotOf(offsetof(OrtApi, CreateTensorWithDataAsOrtValue))},
      {"IsTensor", slotOf(offsetof(OrtApi, IsTensor))},
      {"GetTensorMutableData", slotOf(offsetof(OrtApi, GetTensorMutableData))},
      {"GetStringTensorDataLength", slotOf(offsetof(OrtApi, GetStringTensorDataLength))},
      {"GetStringTensorContent", slotOf(offsetof(OrtApi, GetStringTensorContent))},
      {"CastTypeInfoToTensorInfo", slotOf(offsetof(OrtApi, CastTypeInfoToTensorInfo))},
      {"GetOnnxTypeFromTypeInfo", slotOf(offsetof(OrtApi, GetOnnxTypeFromTypeInfo))},
      {"GetTensorElementType", slotOf(offsetof(OrtApi, GetTensorElementType))},
      {"GetDimensionsCount", slotOf(offsetof(OrtApi, GetDimensionsCount))},
      {"GetDimensions", slotOf(offsetof(OrtApi, GetDimensions))},
      {"GetSymbolicDimensions", slotOf(offsetof(OrtApi, GetSymbolicDimensions))},
      {"GetTensorTypeAndShape", slotOf(offsetof(OrtApi, GetTensorTypeAndShape))},
      {"CreateCpuMemoryInfo", slotOf(offsetof(OrtApi, CreateCpuMemoryInfo))},
      {"AllocatorFree", slotOf(offsetof(OrtApi, AllocatorFree))},
      {"GetAllocatorWithDefaultOptions", slotOf(offsetof(OrtApi, GetAllocatorWithDefaultOptions))},
      {"ReleaseEnv", slotOf(offsetof(OrtApi, ReleaseEnv))},
      {"ReleaseStatus", slotOf(offsetof(OrtApi, ReleaseStatus))},
      {"ReleaseMemoryInfo", slotOf(offsetof(OrtApi, ReleaseMemoryInfo))},
      {"ReleaseSession", slotOf(offsetof(OrtApi, ReleaseSession))},
      {"ReleaseValue", slotOf(offsetof(OrtApi, ReleaseValue))},
      {"ReleaseRunOptions", slotOf(offsetof(OrtApi, ReleaseRunOptions))},
      {"ReleaseTypeInfo", slotOf(offsetof(OrtApi, ReleaseTypeInfo))},
      {"ReleaseTensorTypeAndShapeInfo", slotOf(offsetof(OrtApi, ReleaseTensorTypeAndShapeInfo))},
      {"ReleaseSessionOptions", slotOf(offsetof(OrtApi, ReleaseSessionOptions))},
      {"AddSessionConfigEntry", slotOf(offsetof(OrtApi, AddSessionConfigEntry))},
      {"GetResizedStringTensorElementBuffer",
       slotOf(offsetof(OrtApi, GetResizedStringTensorElementBuffer))},
      {"SetUserLoggingFunction", slotOf(offsetof(OrtApi, SetUserLoggingFunction))},
  };
}

}  // namespace test
