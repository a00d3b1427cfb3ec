// SPDX-License-Identifier: Apache-2.0
// A library with ONNX Runtime's entry point and a table of our own: one model, x [rows, 2] to the
// same y, whose every function can be told to fail, and which counts what it hands out.
// Threads: as ONNX Runtime's.
#include "test/engines/onnxruntime_stub.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "native/engine/onnx/onnx_api.h"
#include "test/engines/onnxruntime_stub_objects.h"
#include "test/engines/onnxruntime_stub_table.h"

namespace infer::onnx {
namespace {

OrtAllocator allocator;  // static in ONNX Runtime too

int getErrorCode(const OrtStatus* status) {
  use(status);
  return status->code;
}

const char* getErrorMessage(const OrtStatus* status) {
  use(status);
  return status->message.c_str();
}

OrtStatus* createEnv(LogFunction log, void* param, int level, const char* id, OrtEnv** out) {
  log(param, level, "stub", id, "here", "the stub starts");
  *out = make(OrtEnv{});
  return nullptr;
}

OrtStatus* createSession(const OrtEnv* env, const char* /*path*/, const OrtSessionOptions* options,
                         OrtSession** out) {
  use(env);
  use(options);
  if (options->log != nullptr) {
    options->log(options->param, 2, "stub", "session", "here", "a session begins");
  }
  *out = make(OrtSession{});
  return nullptr;
}

OrtStatus* run(OrtSession* session, const OrtRunOptions* options, const char* const* /*names*/,
               const OrtValue* const* inputs, std::size_t /*inputCount*/,
               const char* const* /*outputNames*/, std::size_t /*outputCount*/,
               OrtValue** outputs) {
  use(session);
  use(options);
  use(inputs[0]);
  state().beginRun(options->terminated);
  if (options->terminated) {
    return fail(1, "Exiting due to terminate flag being set to true.");
  }
  OrtValue value = *inputs[0];
  if (value.data != nullptr) {
    const auto* begin = static_cast<const char*>(value.data);
    const auto rows = static_cast<std::size_t>(value.info.shape[0]);
    value.own.assign(begin, begin + rows * 2 * sizeof(float));
  }
  OrtValue* made = make(std::move(value));
  made->data = made->own.data();
  outputs[0] = made;
  return nullptr;
}

template <typename T>
OrtStatus* create(T** out) {
  *out = make(T{});
  return nullptr;
}

OrtStatus* configure(OrtSessionOptions* options) {
  use(options);
  return nullptr;
}

OrtStatus* configureWithNumber(OrtSessionOptions* options, int /*value*/) {
  return configure(options);
}

OrtStatus* configureWithEntry(OrtSessionOptions* options, const char* key, const char* value) {
  state().set(key, value);
  return configure(options);
}

OrtStatus* setIntraThreads(OrtSessionOptions* options, int threads) {
  return configureWithEntry(options, "SetIntraOpNumThreads", std::to_string(threads).c_str());
}

OrtStatus* setInterThreads(OrtSessionOptions* options, int threads) {
  return configureWithEntry(options, "SetInterOpNumThreads", std::to_string(threads).c_str());
}

OrtStatus* configureLog(OrtSessionOptions* options, LogFunction log, void* param) {
  use(options);
  options->log = log;
  options->param = param;
  return nullptr;
}

OrtStatus* countOne(const OrtSession* session, std::size_t* out) {
  use(session);
  *out = 1;
  return nullptr;
}

OrtStatus* typeInfo(const OrtSession* session, std::size_t /*index*/, OrtTypeInfo** out) {
  use(session);
  *out = make(OrtTypeInfo{});
  return nullptr;
}

OrtStatus* inputName(const OrtSession* session, std::size_t /*index*/, OrtAllocator* /*from*/,
                     char** out) {
  use(session);
  *out = make(Name{{'x', '\0'}})->text.data();
  return nullptr;
}

OrtStatus* outputName(const OrtSession* session, std::size_t /*index*/, OrtAllocator* /*from*/,
                      char** out) {
  use(session);
  *out = make(Name{{'y', '\0'}})->text.data();
  return nullptr;
}

OrtStatus* terminate(OrtRunOptions* options) {
  use(options);
  state().terminate(options->terminated);
  return nullptr;
}

OrtStatus* createTensor(OrtAllocator* /*from*/, const std::int64_t* shape, std::size_t rank,
                        int type, OrtValue** out) {
  OrtValue value{.info = {type, {shape, shape + rank}}, .own = {}, .strings = {}};
  value.strings.resize(static_cast<std::size_t>(value.info.shape[0] * value.info.shape[1]));
  *out = make(std::move(value));
  return nullptr;
}

OrtStatus* borrowTensor(const OrtMemoryInfo* memory, void* data, std::size_t /*bytes*/,
                        const std::int64_t* shape, std::size_t rank, int type, OrtValue** out) {
  use(memory);
  *out =
      make(OrtValue{.info = {type, {shape, shape + rank}}, .own = {}, .data = data, .strings = {}});
  return nullptr;
}

OrtStatus* isTensor(const OrtValue* value, int* out) {
  use(value);
  *out = 1;
  return nullptr;
}

OrtStatus* tensorData(OrtValue* value, void** out) {
  use(value);
  *out = value->data;
  return nullptr;
}

OrtStatus* stringsLength(const OrtValue* value, std::size_t* out) {
  use(value);
  *out = 0;
  for (const std::string& text : value->strings) {
    *out += text.size();
  }
  return nullptr;
}

OrtStatus* stringsContent(const OrtValue* value, void* to, std::size_t /*bytes*/,
                          std::size_t* starts, std::size_t /*count*/) {
  use(value);
  auto* const begin = static_cast<char*>(to);
  char* at = begin;
  for (const std::string& text : value->strings) {
    *starts++ = static_cast<std::size_t>(at - begin);
    at = std::ranges::copy(text, at).out;
  }
  return nullptr;
}

OrtStatus* stringBuffer(OrtValue* value, std::size_t index, std::size_t bytes, char** out) {
  use(value);
  value->strings[index].resize(bytes);
  *out = value->strings[index].data();
  return nullptr;
}

OrtStatus* castToTensor(const OrtTypeInfo* info, const OrtTensorInfo** out) {
  static const OrtTensorInfo numbers{1, {-1, 2}};
  static const OrtTensorInfo strings{8, {-1, 2}};
  static const OrtTensorInfo complex{14, {-1, 2}};  // a type that nobody runs
  use(info);
  const int type = state().script().elementType;
  *out = type == 8 ? &strings : (type == 14 ? &complex : &numbers);
  return nullptr;
}

OrtStatus* onnxType(const OrtTypeInfo* info, int* out) {
  use(info);
  *out = state().script().onnxType;
  return nullptr;
}

OrtStatus* elementType(const OrtTensorInfo* info, int* out) {
  *out = info->type;
  return nullptr;
}

OrtStatus* rank(const OrtTensorInfo* info, std::size_t* out) {
  *out = info->shape.size();
  return nullptr;
}

OrtStatus* dims(const OrtTensorInfo* info, std::int64_t* out, std::size_t count) {
  std::copy_n(info->shape.begin(), count, out);
  return nullptr;
}

OrtStatus* dimNames(const OrtTensorInfo* /*info*/, const char** out, std::size_t count) {
  std::fill_n(out, count, "");
  out[0] = "rows";
  return nullptr;
}

OrtStatus* infoOfValue(const OrtValue* value, OrtTensorInfo** out) {
  use(value);
  *out = make(OrtTensorInfo(value->info));
  return nullptr;
}

OrtStatus* createMemoryInfo(int /*allocatorType*/, int /*memoryType*/, OrtMemoryInfo** out) {
  return create(out);
}

OrtStatus* freeName(OrtAllocator* /*from*/, void* name) {
  release(static_cast<Name*>(name));
  return nullptr;
}

OrtStatus* defaultAllocator(OrtAllocator** out) {
  *out = &allocator;
  return nullptr;
}

void setSessions(Table& table) {
  table.set<createEnv>(&Api::createEnvWithCustomLogger);
  table.set<createSession>(&Api::createSession);
  table.set<create<OrtSessionOptions>>(&Api::createSessionOptions);
  table.set<configure>(&Api::disableMemPattern);
  table.set<configureWithNumber>(&Api::setSessionLogSeverityLevel);
  table.set<configureWithNumber>(&Api::setSessionGraphOptimizationLevel);
  table.set<setIntraThreads>(&Api::setIntraOpNumThreads);
  table.set<setInterThreads>(&Api::setInterOpNumThreads);
  table.set<configureWithEntry>(&Api::addSessionConfigEntry);
  table.set<configureLog>(&Api::setUserLoggingFunction);
  table.set<countOne>(&Api::sessionGetInputCount);
  table.set<countOne>(&Api::sessionGetOutputCount);
  table.set<typeInfo>(&Api::sessionGetInputTypeInfo);
  table.set<typeInfo>(&Api::sessionGetOutputTypeInfo);
  table.set<inputName>(&Api::sessionGetInputName);
  table.set<outputName>(&Api::sessionGetOutputName);
  table.set<castToTensor>(&Api::castTypeInfoToTensorInfo);
  table.set<onnxType>(&Api::getOnnxTypeFromTypeInfo);
  table.set<elementType>(&Api::getTensorElementType);
  table.set<rank>(&Api::getDimensionsCount);
  table.set<dims>(&Api::getDimensions);
  table.set<dimNames>(&Api::getSymbolicDimensions);
  table.set<createMemoryInfo>(&Api::createCpuMemoryInfo);
  table.set<freeName>(&Api::allocatorFree);
  table.set<defaultAllocator>(&Api::getAllocatorWithDefaultOptions);
}

void setRuns(Table& table) {
  table.set<run>(&Api::run);
  table.set<create<OrtRunOptions>>(&Api::createRunOptions);
  table.set<terminate>(&Api::runOptionsSetTerminate);
  table.set<createTensor>(&Api::createTensorAsOrtValue);
  table.set<borrowTensor>(&Api::createTensorWithDataAsOrtValue);
  table.set<isTensor>(&Api::isTensor);
  table.set<tensorData>(&Api::getTensorMutableData);
  table.set<stringsLength>(&Api::getStringTensorDataLength);
  table.set<stringsContent>(&Api::getStringTensorContent);
  table.set<stringBuffer>(&Api::getResizedStringTensorElementBuffer);
  table.set<infoOfValue>(&Api::getTensorTypeAndShape);
}

void setReleases(Table& table) {
  table.set<getErrorCode>(&Api::getErrorCode);
  table.set<getErrorMessage>(&Api::getErrorMessage);
  table.set<release<OrtEnv>>(&Api::releaseEnv);
  table.set<release<OrtStatus>>(&Api::releaseStatus);
  table.set<release<OrtMemoryInfo>>(&Api::releaseMemoryInfo);
  table.set<release<OrtSession>>(&Api::releaseSession);
  table.set<release<OrtValue>>(&Api::releaseValue);
  table.set<release<OrtRunOptions>>(&Api::releaseRunOptions);
  table.set<release<OrtTypeInfo>>(&Api::releaseTypeInfo);
  table.set<release<OrtTensorInfo>>(&Api::releaseTensorInfo);
  table.set<release<OrtSessionOptions>>(&Api::releaseSessionOptions);
}

const void* getApi(std::uint32_t version) {
  static const Table table = [] {
    Table made;
    setSessions(made);
    setRuns(made);
    setReleases(made);
    return made;
  }();
  state().asked(version);
  return state().script().givesTable ? static_cast<const void*>(table.slots()) : nullptr;
}

const char* getVersionString() {
  static std::string version;  // read at once by the caller, under the registry's lock
  version = state().script().version;
  return version.c_str();
}

}  // namespace
}  // namespace infer::onnx

stub::State* stubState() {
  return &infer::onnx::state();
}

extern "C" const infer::onnx::OrtApiBase* OrtGetApiBase();

const infer::onnx::OrtApiBase* OrtGetApiBase() {
  static constexpr infer::onnx::OrtApiBase base{infer::onnx::getApi, infer::onnx::getVersionString};
  return &base;
}
