// SPDX-License-Identifier: Apache-2.0
// The engine's own C API in a loop: the limit that predict() is compared with.
// Threads: one per core of --cores, each pinned and with tensors of its own, all on one session.
//
// capi_loop LIBRARY MODEL --batch 8 --cores 0,1 --warmup 0.5 --seconds 3 --free 1
// prints one line of JSON. Inputs and outputs are allocated once and used by every run, names are
// resolved once, a run uses one thread: nothing is left to save but the run itself.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <exception>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "native/base/affinity.h"
#include "native/base/clock.h"
#include "native/base/error.h"
#include "native/base/shared_library.h"
#include "native/base/tensor.h"
#include "native/engine/engine.h"
#include "native/engine/onnx/onnx_api.h"
#include "native/engine/onnx/onnx_library.h"
#include "native/engine/onnx/onnx_model.h"

namespace infer::onnx {
namespace {

struct Options {
  std::string library;
  std::string model;
  std::int64_t batch = 1;
  std::int64_t free = 1;  // size of every free axis but the first
  std::vector<int> cores = {0};
  double warmup = 0.5;
  double seconds = 3;
};

[[noreturn]] void die(const std::string& message) {
  std::cerr << "capi_loop: " << message << '\n';
  std::exit(1);  // NOLINT(concurrency-mt-unsafe): nothing is left to do, on no thread
}

template <typename T>
T must(Result<T> result) {
  if (!result.ok()) {
    die(result.error().message);
  }
  return std::move(result).value();
}

void must(const Result<void>& result) {
  if (!result.ok()) {
    die(result.error().message);
  }
}

std::vector<int> readCores(const std::string& list) {
  std::vector<int> cores;
  std::istringstream in(list);
  for (std::string core; std::getline(in, core, ',');) {
    cores.push_back(std::stoi(core));
  }
  return cores;
}

Options readOptions(int count, char** values) {
  Options options;
  const std::vector<std::string> words(values + 1, values + count);
  if (words.size() < 2 || words.size() % 2 != 0) {
    die("expected LIBRARY MODEL and pairs of --batch, --free, --cores, --warmup, --seconds");
  }
  options.library = words[0];
  options.model = words[1];
  for (std::size_t i = 2; i < words.size(); i += 2) {
    const std::string& name = words[i];
    const std::string& value = words[i + 1];
    if (name == "--batch") {
      options.batch = std::stol(value);
    } else if (name == "--free") {
      options.free = std::stol(value);
    } else if (name == "--cores") {
      options.cores = readCores(value);
    } else if (name == "--warmup") {
      options.warmup = std::stod(value);
    } else if (name == "--seconds") {
      options.seconds = std::stod(value);
    } else {
      die("unknown option " + name);
    }
  }
  return options;
}

Owned<OrtSession> openSession(const Library& library, const std::string& model) {
  const Api& api = library.api();
  OrtSessionOptions* raw = nullptr;
  must(library.check(api.createSessionOptions(&raw), ErrorCode::kInternal, "options"));
  const Owned<OrtSessionOptions> options(raw, Release{&api});
  must(library.check(api.setIntraOpNumThreads(raw, 1), ErrorCode::kInternal, "threads"));
  must(library.check(api.setInterOpNumThreads(raw, 1), ErrorCode::kInternal, "threads"));
  must(library.check(api.setSessionGraphOptimizationLevel(raw, kOptimizeAll), ErrorCode::kInternal,
                     "level"));
  OrtSession* session = nullptr;
  must(library.check(api.createSession(library.env(), model.c_str(), raw, &session),
                     ErrorCode::kModelInvalid, model));
  return {session, Release{&api}};
}

// The tensors of one thread, and the runs it made.
struct Worker {
  std::vector<Bytes> memory;
  std::vector<Owned<OrtValue>> owned;
  std::vector<const OrtValue*> inputs;
  std::vector<OrtValue*> outputs;
  std::vector<TimeNs> times;
};

int ortType(ElementType type) {
  if (type == ElementType::kFloat32) {
    return kOrtFloat;
  }
  if (type == ElementType::kInt64) {
    return kOrtInt64;
  }
  die("only float32 and int64 models are measured");
}

OrtValue* makeTensor(const Library& library, ElementType type, const Shape& shape, Worker& worker) {
  Bytes bytes = Bytes::allocate(must(byteSize(type, shape)));
  const std::size_t count = must(elementCount(shape));
  if (type == ElementType::kFloat32) {
    auto* numbers = reinterpret_cast<float*>(bytes.data());
    for (std::size_t i = 0; i < count; ++i) {
      numbers[i] = static_cast<float>((i * 37) % 101) / 101.0F;  // as in bench/models.ts
    }
  } else {
    auto* numbers = reinterpret_cast<std::int64_t*>(bytes.data());
    for (std::size_t i = 0; i < count; ++i) {
      numbers[i] = static_cast<std::int64_t>(i % 1000);
    }
  }
  OrtValue* value = nullptr;
  must(library.check(library.api().createTensorWithDataAsOrtValue(
                         library.cpuMemory(), bytes.data(), bytes.size(), shape.data(),
                         shape.size(), ortType(type), &value),
                     ErrorCode::kInternal, "tensor"));
  worker.memory.push_back(std::move(bytes));
  worker.owned.emplace_back(value, Release{&library.api()});
  return value;
}

struct Session {
  const Library& library;
  Owned<OrtSession> session;
  Signature signature;
  std::vector<const char*> inputNames;
  std::vector<const char*> outputNames;

  void run(Worker& worker) const {
    OrtStatus* status = library.api().run(
        session.get(), nullptr, inputNames.data(), worker.inputs.data(), worker.inputs.size(),
        outputNames.data(), outputNames.size(), worker.outputs.data());
    if (status != nullptr) {
      die(library.api().getErrorMessage(status));
    }
  }
};

// One run with outputs of the engine's making tells their shapes; every later run writes into ours.
void prepare(const Session& session, const Options& options, Worker& worker) {
  for (const TensorSpec& spec : session.signature.inputs) {
    Shape shape = spec.shape;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      if (shape[axis] == kFreeAxis) {
        shape[axis] = axis == 0 ? options.batch : options.free;
      }
    }
    worker.inputs.push_back(makeTensor(session.library, spec.type, shape, worker));
  }
  const Api& api = session.library.api();
  worker.outputs.assign(session.outputNames.size(), nullptr);
  session.run(worker);
  for (std::size_t i = 0; i < worker.outputs.size(); ++i) {
    const Owned<OrtValue> made(worker.outputs[i], Release{&api});
    OrtTensorInfo* raw = nullptr;
    must(session.library.check(api.getTensorTypeAndShape(made.get(), &raw), ErrorCode::kInternal,
                               "output"));
    const Owned<OrtTensorInfo> info(raw, Release{&api});
    std::size_t rank = 0;
    must(session.library.check(api.getDimensionsCount(raw, &rank), ErrorCode::kInternal, "rank"));
    Shape shape(rank);
    must(session.library.check(api.getDimensions(raw, shape.data(), rank), ErrorCode::kInternal,
                               "shape"));
    worker.outputs[i] =
        makeTensor(session.library, session.signature.outputs[i].type, shape, worker);
  }
}

void runFor(const Session& session, double seconds, Worker& worker) {
  const SteadyClock clock;
  const TimeNs end = clock.now() + static_cast<TimeNs>(seconds * 1e9);
  worker.times.clear();
  for (TimeNs before = clock.now(); before < end;) {
    session.run(worker);
    const TimeNs after = clock.now();
    worker.times.push_back(after - before);
    before = after;
  }
}

void report(const Options& options, std::vector<TimeNs> times, double wall, double cpu) {
  std::ranges::sort(times);
  const auto at = [&times](double share) {
    const auto rank =
        static_cast<std::size_t>(std::ceil(share * static_cast<double>(times.size())));
    return static_cast<double>(times[std::max<std::size_t>(rank, 1) - 1]) / 1000;
  };
  const double runs = static_cast<double>(times.size());
  std::printf(
      "{\"runs\":%zu,\"batch\":%lld,\"threads\":%zu,\"seconds\":%.6f,\"runsPerSecond\":%.3f,"
      "\"rowsPerSecond\":%.3f,\"p50Us\":%.3f,\"p99Us\":%.3f,\"p999Us\":%.3f,\"cpuUs\":%.3f}\n",
      times.size(), static_cast<long long>(options.batch), options.cores.size(), wall, runs / wall,
      runs * static_cast<double>(options.batch) / wall, at(0.5), at(0.99), at(0.999),
      cpu * 1e6 / runs);
}

void measure(const Session& session, const Options& options) {
  std::vector<Worker> workers(options.cores.size());
  std::atomic<std::size_t> warm{0};
  std::atomic<bool> start{false};
  std::vector<std::jthread> threads;
  threads.reserve(workers.size());
  for (std::size_t i = 0; i < workers.size(); ++i) {
    threads.emplace_back([&, i] {
      if (auto pinned = pinThisThread(options.cores[i]); !pinned.ok()) {
        die(pinned.error().message);
      }
      prepare(session, options, workers[i]);
      runFor(session, options.warmup, workers[i]);
      ++warm;
      warm.notify_all();
      start.wait(false);
      runFor(session, options.seconds, workers[i]);
    });
  }
  for (std::size_t now = warm; now < workers.size(); now = warm) {
    warm.wait(now);
  }
  const SteadyClock clock;
  const std::clock_t cpuBefore = std::clock();  // of all threads together
  const TimeNs before = clock.now();
  start = true;
  start.notify_all();
  threads.clear();  // joins
  const double wall = static_cast<double>(clock.now() - before) / 1e9;
  const double cpu = static_cast<double>(std::clock() - cpuBefore) / CLOCKS_PER_SEC;
  std::vector<TimeNs> all;
  for (const Worker& worker : workers) {
    all.insert(all.end(), worker.times.begin(), worker.times.end());
  }
  report(options, std::move(all), wall, cpu);
}

void runProgram(const Options& options) {
  const auto library = must(Library::open(must(SharedLibrary::open(options.library))));
  const ModelFile file{.path = options.model, .threadsPerRun = 1};
  const Signature signature = must(OnnxModel::load(library, file))->signature();
  Session session{*library, openSession(*library, options.model), signature, {}, {}};
  for (const TensorSpec& spec : session.signature.inputs) {
    session.inputNames.push_back(spec.name.c_str());
  }
  for (const TensorSpec& spec : session.signature.outputs) {
    session.outputNames.push_back(spec.name.c_str());
  }
  measure(session, options);
}

}  // namespace
}  // namespace infer::onnx

int main(int count, char** values) {
  try {
    infer::onnx::runProgram(infer::onnx::readOptions(count, values));
    return 0;
  } catch (const std::exception& error) {
    std::fputs(error.what(), stderr);
    return 1;
  }
}
