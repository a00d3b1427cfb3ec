// SPDX-License-Identifier: Apache-2.0
// What we need of ONNX Runtime's C interface, declared by us from its published, append-only
// function table: slot numbers never move, and every slot here is at most as new as kOldestApi.
// test/native/ onnx_api_test.cc compares the numbers with the official header wherever that is
// installed. Threads: the functions are as thread-safe as ONNX Runtime documents; Run is, on one
// session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace infer::onnx {

// API version = minor version of the release. kNewestApi is the newest this file was checked
// against.
inline constexpr std::uint32_t kOldestApi = 17;
inline constexpr std::uint32_t kNewestApi = 30;

struct OrtStatus;
struct OrtEnv;
struct OrtSession;
struct OrtSessionOptions;
struct OrtRunOptions;
struct OrtValue;
struct OrtMemoryInfo;
struct OrtAllocator;
struct OrtTypeInfo;
struct OrtTensorInfo;

// The struct that the one exported symbol, OrtGetApiBase, returns; upstream asserts that it never
// changes.
struct OrtApiBase {
  const void* (*getApi)(std::uint32_t version);
  const char* (*getVersionString)();
};
using GetApiBase = const OrtApiBase* (*)();

using LogFunction = void (*)(void* param, int severity, const char* category, const char* logid,
                             const char* location, const char* message);

using ApiTable = const void* const*;

// One slot of the table with its signature.
template <std::size_t Slot, typename Signature>
class Function;
template <std::size_t Slot, typename R, typename... A>
class Function<Slot, R(A...)> {
 public:
  static constexpr std::size_t kSlot = Slot;
  explicit Function(ApiTable table)
      : pointer_(reinterpret_cast<R (*)(A...)>(const_cast<void*>(table[Slot]))) {}
  R operator()(A... arguments) const { return pointer_(arguments...); }

 private:
  R (*pointer_)(A...);
};

// Unless said otherwise a function returns null on success, or a status that the caller releases.
struct Api {
  explicit Api(ApiTable functions) : table(functions) {}
  ApiTable table;

  Function<1, int(const OrtStatus*)> getErrorCode{table};
  Function<2, const char*(const OrtStatus*)> getErrorMessage{
      table};  // valid until the status is released
  Function<4, OrtStatus*(LogFunction, void*, int, const char*, OrtEnv**)> createEnvWithCustomLogger{
      table};
  Function<7, OrtStatus*(const OrtEnv*, const char*, const OrtSessionOptions*, OrtSession**)>
      createSession{table};
  Function<9,
           OrtStatus*(OrtSession*, const OrtRunOptions*, const char* const*, const OrtValue* const*,
                      std::size_t, const char* const*, std::size_t, OrtValue**)>
      run{table};
  Function<10, OrtStatus*(OrtSessionOptions**)> createSessionOptions{table};
  Function<17, OrtStatus*(OrtSessionOptions*)> disableMemPattern{table};
  Function<22, OrtStatus*(OrtSessionOptions*, int)> setSessionLogSeverityLevel{table};
  Function<23, OrtStatus*(OrtSessionOptions*, int)> setSessionGraphOptimizationLevel{table};
  Function<24, OrtStatus*(OrtSessionOptions*, int)> setIntraOpNumThreads{table};
  Function<25, OrtStatus*(OrtSessionOptions*, int)> setInterOpNumThreads{table};
  Function<30, OrtStatus*(const OrtSession*, std::size_t*)> sessionGetInputCount{table};
  Function<31, OrtStatus*(const OrtSession*, std::size_t*)> sessionGetOutputCount{table};
  Function<33, OrtStatus*(const OrtSession*, std::size_t, OrtTypeInfo**)> sessionGetInputTypeInfo{
      table};
  Function<34, OrtStatus*(const OrtSession*, std::size_t, OrtTypeInfo**)> sessionGetOutputTypeInfo{
      table};
  Function<36, OrtStatus*(const OrtSession*, std::size_t, OrtAllocator*, char**)>
      sessionGetInputName{table};
  Function<37, OrtStatus*(const OrtSession*, std::size_t, OrtAllocator*, char**)>
      sessionGetOutputName{table};
  Function<39, OrtStatus*(OrtRunOptions**)> createRunOptions{table};
  Function<46, OrtStatus*(OrtRunOptions*)> runOptionsSetTerminate{
      table};  // from another thread; sticky
  Function<48, OrtStatus*(OrtAllocator*, const std::int64_t*, std::size_t, int, OrtValue**)>
      createTensorAsOrtValue{table};
  // Borrows the data. Never for strings.
  Function<49, OrtStatus*(const OrtMemoryInfo*, void*, std::size_t, const std::int64_t*,
                          std::size_t, int, OrtValue**)>
      createTensorWithDataAsOrtValue{table};
  Function<50, OrtStatus*(const OrtValue*, int*)> isTensor{table};
  Function<51, OrtStatus*(OrtValue*, void**)> getTensorMutableData{table};
  Function<53, OrtStatus*(const OrtValue*, std::size_t*)> getStringTensorDataLength{table};
  Function<54, OrtStatus*(const OrtValue*, void*, std::size_t, std::size_t*, std::size_t)>
      getStringTensorContent{table};
  Function<55, OrtStatus*(const OrtTypeInfo*, const OrtTensorInfo**)> castTypeInfoToTensorInfo{
      table};
  Function<56, OrtStatus*(const OrtTypeInfo*, int*)> getOnnxTypeFromTypeInfo{table};
  Function<60, OrtStatus*(const OrtTensorInfo*, int*)> getTensorElementType{table};
  Function<61, OrtStatus*(const OrtTensorInfo*, std::size_t*)> getDimensionsCount{table};
  Function<62, OrtStatus*(const OrtTensorInfo*, std::int64_t*, std::size_t)> getDimensions{table};
  Function<63, OrtStatus*(const OrtTensorInfo*, const char**, std::size_t)> getSymbolicDimensions{
      table};
  Function<65, OrtStatus*(const OrtValue*, OrtTensorInfo**)> getTensorTypeAndShape{table};
  Function<69, OrtStatus*(int, int, OrtMemoryInfo**)> createCpuMemoryInfo{table};
  Function<76, OrtStatus*(OrtAllocator*, void*)> allocatorFree{table};
  Function<78, OrtStatus*(OrtAllocator**)> getAllocatorWithDefaultOptions{
      table};  // static, never released
  Function<92, void(OrtEnv*)> releaseEnv{table};
  Function<93, void(OrtStatus*)> releaseStatus{table};
  Function<94, void(OrtMemoryInfo*)> releaseMemoryInfo{table};
  Function<95, void(OrtSession*)> releaseSession{table};
  Function<96, void(OrtValue*)> releaseValue{table};
  Function<97, void(OrtRunOptions*)> releaseRunOptions{table};
  Function<98, void(OrtTypeInfo*)> releaseTypeInfo{table};
  Function<99, void(OrtTensorInfo*)> releaseTensorInfo{table};
  Function<100, void(OrtSessionOptions*)> releaseSessionOptions{table};
  Function<130, OrtStatus*(OrtSessionOptions*, const char*, const char*)> addSessionConfigEntry{
      table};
  // Length-counted writer of one string: keeps embedded NUL.
  Function<252, OrtStatus*(OrtValue*, std::size_t, std::size_t, char**)>
      getResizedStringTensorElementBuffer{table};
  // Instead of the environment's logger; null as the parameter is allowed.
  Function<266, OrtStatus*(OrtSessionOptions*, LogFunction, void*)> setUserLoggingFunction{table};
};

// Since API 24, so not part of Api: whether the number of axes is known. Without it an unknown one
// cannot be told from a scalar. Never fails.
inline constexpr std::uint32_t kHasShapeApi = 24;
using HasShape = Function<390, bool(const OrtTensorInfo*)>;

// ONNXTensorElementDataType; an int as in the interface.
enum OrtElementType : int {  // NOLINT(performance-enum-size)
  kOrtFloat = 1,
  kOrtUInt8 = 2,
  kOrtInt8 = 3,
  kOrtUInt16 = 4,
  kOrtInt16 = 5,
  kOrtInt32 = 6,
  kOrtInt64 = 7,
  kOrtString = 8,
  kOrtBool = 9,
  kOrtFloat16 = 10,
  kOrtDouble = 11,
  kOrtUInt32 = 12,
  kOrtUInt64 = 13,
  kOrtBFloat16 = 16,
};

inline constexpr int kOnnxTypeTensor = 1;  // ONNXType
inline constexpr int kLogWarning = 2;      // OrtLoggingLevel
inline constexpr int kOptimizeAll = 99;    // GraphOptimizationLevel
inline constexpr int kArenaAllocator = 1;  // OrtAllocatorType
inline constexpr int kMemTypeDefault = 0;  // OrtMemType

// Owns one object of the library; released with the table it came from, because a process may hold
// two copies.
struct Release {
  const Api* api;
  void operator()(OrtStatus* object) const { api->releaseStatus(object); }
  void operator()(OrtEnv* object) const { api->releaseEnv(object); }
  void operator()(OrtSession* object) const { api->releaseSession(object); }
  void operator()(OrtSessionOptions* object) const { api->releaseSessionOptions(object); }
  void operator()(OrtRunOptions* object) const { api->releaseRunOptions(object); }
  void operator()(OrtValue* object) const { api->releaseValue(object); }
  void operator()(OrtMemoryInfo* object) const { api->releaseMemoryInfo(object); }
  void operator()(OrtTypeInfo* object) const { api->releaseTypeInfo(object); }
  void operator()(OrtTensorInfo* object) const { api->releaseTensorInfo(object); }
};
template <typename T>
using Owned = std::unique_ptr<T, Release>;

}  // namespace infer::onnx
