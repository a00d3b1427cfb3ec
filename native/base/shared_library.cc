// SPDX-License-Identifier: Apache-2.0
// dlopen with the reason for each failure told apart.
#include "native/base/shared_library.h"

#include <dlfcn.h>

#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <ios>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "native/base/error.h"

namespace infer {
namespace {

// ELF identification, System V ABI, "ELF Header": magic, class and byte order, then e_machine.
constexpr std::size_t kHeaderBytes = 20;
constexpr std::size_t kMagicBytes = 4;
constexpr std::size_t kIdentBytes = 6;
constexpr std::size_t kMachineOffset = 18;
using Header = std::array<char, kHeaderBytes>;

Error unavailable(std::string detail, std::string message) {
  return {ErrorCode::kEngineUnavailable, std::move(message), std::move(detail)};
}

bool readHeader(const std::string& path, Header& header) {
  std::ifstream file(path, std::ios::binary);
  return file.read(header.data(), static_cast<std::streamsize>(header.size())).good();
}

bool sameBytes(const Header& a, const Header& b, std::size_t from, std::size_t to) {
  return std::string_view(a.data() + from, to - from) ==
         std::string_view(b.data() + from, to - from);
}

std::string loaderMessage() {
  const char* message =
      dlerror();  // NOLINT(concurrency-mt-unsafe): thread-local in every libc we build for
  return message == nullptr ? "unknown loader error" : message;
}

}  // namespace

std::string fileOfSymbol(const void* symbol) {
  Dl_info info{};
  return dladdr(symbol, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
}

std::string whyNotLoadable(const std::string& path) {
  Header own{};
  if (!readHeader(fileOfSymbol(reinterpret_cast<const void*>(&whyNotLoadable)), own)) {
    return "";
  }
  Header theirs{};
  if (!readHeader(path, theirs) || !sameBytes(own, theirs, 0, kMagicBytes)) {
    return "not-a-library";
  }
  const bool fits = sameBytes(own, theirs, kMagicBytes, kIdentBytes) &&
                    sameBytes(own, theirs, kMachineOffset, kHeaderBytes);
  return fits ? "" : "wrong-architecture";
}

SharedLibrary::SharedLibrary(void* handle, std::string path)
    : handle_(handle), path_(std::move(path)) {}

Result<SharedLibrary> SharedLibrary::open(const std::string& path) {
  if (path.empty()) {  // to the loader, the program itself
    return unavailable("not-found", "an empty path");
  }
  const bool isFile = path.find('/') != std::string::npos;
  if (isFile) {
    std::error_code failure;
    if (!std::filesystem::is_regular_file(path, failure)) {
      return unavailable("not-found", path + ": no such file");
    }
    const std::string why = whyNotLoadable(path);
    if (why == "not-a-library") {
      return unavailable(why, path + ": not a shared library");
    }
    if (!why.empty()) {
      return unavailable(why, path + ": a library for another processor architecture");
    }
  }
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    return unavailable(isFile ? "not-loadable" : "not-found", loaderMessage());
  }
  return SharedLibrary(handle, path);
}

Result<SharedLibrary> SharedLibrary::openMapped(const std::string& name) {
  void* handle = name.empty() ? nullptr : dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD);
  if (handle == nullptr) {
    return unavailable("not-found", name + ": not loaded in this process");
  }
  return SharedLibrary(handle, name);
}

Result<void*> SharedLibrary::symbol(const char* name) const {
  void* address = dlsym(handle_, name);
  if (address == nullptr) {
    return unavailable("no-entry-point", path_ + ": a library without the entry point " + name);
  }
  return address;
}

}  // namespace infer
