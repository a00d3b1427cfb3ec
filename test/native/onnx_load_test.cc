// SPDX-License-Identifier: Apache-2.0
// Opening and loading with the real ONNX Runtime: what cannot be loaded says why, and neither
// failures nor successes leave threads, memory or text on stderr behind.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ios>
#include <iterator>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "native/base/error.h"
#include "native/base/log.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "test/native/check.h"
#include "test/native/fixtures.h"
#include "test/native/onnx_host.h"
#include "test/native/temp_folder.h"
#include "test/native/tensors.h"

namespace {

using infer::ErrorCode;
using test::AddEachOnnx;
using test::AddOnnx;

std::string contentOf(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::ptrdiff_t threadCount() {
  const std::filesystem::directory_iterator threads("/proc/self/task");
  return std::distance(begin(threads), end(threads));
}

// Before any other case: ONNX Runtime starts its telemetry with its first environment.
const AddOnnx kThreads("opening the engine and loading a model start no thread", [] {
  const auto before = threadCount();
  const auto engine = test::onnxEngine();
  check::equal(threadCount(), before, "threads with the engine open");
  const auto model = test::loadFixture("affine");
  check::equal(threadCount(), before, "threads with a model loaded");
});

const AddOnnx kPool("a model of two threads a run has one of its own, which ends with it", [] {
  const auto before = threadCount();
  auto model =
      test::onnxEngine()->load({.path = test::fixture("spin.onnx"), .threadsPerRun = 2}, {"cpu"});
  check::equal(threadCount(), before + 1, "threads with the model");
  model = infer::Error{};
  check::equal(threadCount(), before, "threads without it");
});

struct BrokenCase {
  const char* name;
  std::string (*content)();
  const char* message;
};

const BrokenCase kBroken[] = {
    {"a truncated model is refused",
     [] { return contentOf(test::fixture("affine.onnx")).substr(0, 100); }, "not a model"},
    {"a model without its last byte is refused",
     [] {
       std::string bytes = contentOf(test::fixture("affine.onnx"));
       bytes.pop_back();
       return bytes;
     },
     "not a model"},
    {"an empty file is refused", [] { return std::string(); }, "not a model"},
    {"a text file is refused", [] { return std::string("this is no model\n"); }, "not a model"},
    {"zeros are refused", [] { return std::string(4096, '\0'); }, "not a model"},
};

// Loads what has to be refused; the message names the file and says more than its name.
void expectRefused(const std::string& path, const char* message) {
  const auto model = test::tryLoad(path);
  if (check::failed(model, ErrorCode::kModelInvalid, message)) {
    check::that(model.error().message.starts_with(path + ": "), "the file first");
    check::that(model.error().message.size() > path.size() + 30, "a reason");
  }
}

const AddEachOnnx kBrokenFiles(kBroken, [](const BrokenCase& row) {
  const test::TempFolder folder;
  const auto path = folder.path() / "broken.onnx";
  std::ofstream(path, std::ios::binary) << row.content();
  expectRefused(path, row.message);
});

struct RefusedCase {
  const char* name;
  const char* file;
  const char* message;
};

constexpr RefusedCase kRefused[] = {
    {"an opset of the future is refused by number", "future_opset.onnx", "999"},
    {"a missing file of weights is named", "missing_external.onnx", "missing_external.bin"},
    {"an output that is no tensor is named", "zipmap.onnx", "output \"probabilities\""},
    {"an input of unknown rank is named", "unknown_rank.onnx",
     "input \"x\": the file does not say how many axes"},
    {"a folder is not a model file", "", "a folder or device"},
};

const AddEachOnnx kRefusedFiles(kRefused, [](const RefusedCase& row) {
  expectRefused(test::fixture(row.file), row.message);
});

const AddOnnx kMissing("a missing file is not found", [] {
  check::failed(test::tryLoad(test::fixture("no-such.onnx")), ErrorCode::kModelNotFound,
                "no-such.onnx: no such");
});

const AddOnnx kUnreadable("a file that cannot be read is not found, with the system's reason", [] {
  const test::TempFolder folder;
  const auto loop = folder.path() / "loop.onnx";
  std::filesystem::create_symlink(loop, loop);
  check::failed(test::tryLoad(loop), ErrorCode::kModelNotFound,
                "cannot be read: Too many levels of symbolic links");
});

const AddOnnx kForbidden("a file without permission to read it is not found", [] {
  const test::TempFolder folder;
  const auto file = folder.path() / "forbidden.onnx";
  std::filesystem::copy_file(test::fixture("affine.onnx"), file);
  std::filesystem::permissions(file, std::filesystem::perms::none);
  std::filesystem::permissions(folder.path(), static_cast<std::filesystem::perms>(0755));
  constexpr uid_t kNobody = 65534;
  const bool isRoot = geteuid() == 0;  // root may read everything
  (void)test::onnxEngine();
  if (isRoot) {
    check::equal(seteuid(kNobody), 0, "another user");
  }
  const auto model = test::tryLoad(file);
  if (isRoot) {
    check::equal(seteuid(0), 0, "root again");
  }
  check::failed(model, ErrorCode::kModelNotFound, "cannot be read: Permission denied");
});

const AddOnnx kDevice("a device that this engine lacks is refused", [] {
  const auto model = test::onnxEngine()->load({.path = test::fixture("affine.onnx")}, {"cuda:0"});
  check::failed(model, ErrorCode::kDeviceUnavailable, "\"cuda:0\"");
});

// While one lives, what the process writes to stderr goes to a file.
class StderrToFile {
 public:
  explicit StderrToFile(const std::filesystem::path& file) : before_(dup(STDERR_FILENO)) {
    const int to = open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    dup2(to, STDERR_FILENO);
    close(to);
  }
  ~StderrToFile() {
    dup2(before_, STDERR_FILENO);
    close(before_);
  }
  StderrToFile(const StderrToFile&) = delete;
  StderrToFile& operator=(const StderrToFile&) = delete;

 private:
  const int before_;
};

class Lines final : public infer::LogListener {
 public:
  void log(const infer::LogLine& line) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(line);
  }
  std::vector<infer::LogLine> all() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<infer::LogLine> lines_;  // guarded by mutex_
};

infer::Batch indexBatch(std::int64_t index) {
  infer::Batch batch;
  batch.inputs.push_back(
      test::tensorOf(infer::ElementType::kInt64, {1, 1}, std::vector<std::int64_t>{index}));
  batch.rows = 1;
  return batch;
}

const AddOnnx kQuiet("what the engine complains about comes as log lines, not on stderr", [] {
  const test::TempFolder folder;
  const auto file = folder.path() / "stderr";
  const auto lines = std::make_shared<Lines>();
  infer::Log::process().add(lines);
  {
    const StderrToFile redirected(file);
    for (const RefusedCase& row : kRefused) {
      (void)test::tryLoad(test::fixture(row.file));
    }
    const auto model = test::loadFixture("gather");
    check::that(!model->run(indexBatch(4), {}).ok(), "a failed run");
    check::that(!test::tryLoad(test::fixture("README.md")).ok(), "refused");
  }
  check::equal(contentOf(file), "", "nothing on stderr");
  const auto all = lines->all();
  check::that(!all.empty(), "log lines");
  check::that(std::ranges::all_of(all,
                                  [](const infer::LogLine& line) {
                                    return line.engine == "onnxruntime" && !line.message.empty();
                                  }),
              "of the engine, with a message");
});

const AddOnnx kAtOnce("several models load at once", [] {
  std::vector<std::jthread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int n = 0; n < 10; ++n) {
        check::succeeded(test::tryLoad(test::fixture("affine.onnx")), "a model");
        check::that(!test::tryLoad(test::fixture("future_opset.onnx")).ok(), "a refusal");
      }
    });
  }
});

// Resident memory of this process in bytes: the second number of statm (proc(5)) counts pages.
std::size_t residentBytes() {
  std::size_t total = 0;
  std::size_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

constexpr std::size_t kMebibyte = std::size_t{1024} * 1024;

const AddOnnx kMemory("300 loads, runs and failed loads leave memory as it was", [] {
  if (!std::string(INFER_SANITIZER).empty()) {
    check::skip("a sanitizer keeps freed memory");
    return;
  }
  const auto cycle = [] {
    const auto model = test::loadFixture("gather");
    check::succeeded(model->run(indexBatch(1), {}), "outputs");
    check::that(!model->run(indexBatch(9), {}).ok(), "a failed run");
    check::that(!test::tryLoad(test::fixture("missing_external.onnx")).ok(), "a refusal");
  };
  for (int i = 0; i < 20; ++i) {
    cycle();
  }
  const std::size_t before = residentBytes();
  const auto threads = threadCount();
  for (int i = 0; i < 300; ++i) {
    cycle();
  }
  const std::size_t after = residentBytes();
  check::that(after < before + 32 * kMebibyte, "less than 32 MiB more, got " +
                                                   std::to_string(before) + " bytes before and " +
                                                   std::to_string(after) + " after");
  check::equal(threadCount(), threads, "threads");
});

}  // namespace
