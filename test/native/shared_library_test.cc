// SPDX-License-Identifier: Apache-2.0
// Why a library cannot be used, told apart; with files made here.
#include "native/base/shared_library.h"

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <ios>
#include <string>

#include "native/base/error.h"
#include "test/native/check.h"
#include "test/native/temp_folder.h"

namespace {

using infer::ErrorCode;
using infer::SharedLibrary;

// The beginning of a library of this machine.
std::string ownHeader() {
  std::ifstream file(INFER_EMPTY_LIBRARY, std::ios::binary);
  std::string bytes(64, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

std::string changed(std::string bytes, std::size_t at) {
  bytes[at] = static_cast<char>(bytes[at] + 1);
  return bytes;
}

// Offsets of the ELF header (System V ABI): EI_CLASS 4, EI_DATA 5, e_machine 18.
struct FileCase {
  const char* name;
  std::string (*content)();
  const char* detail;
  const char* message;
};

constexpr FileCase kFiles[] = {
    {"a library for another processor is told apart", [] { return changed(ownHeader(), 18); },
     "wrong-architecture", "another processor architecture"},
    {"a library of another word size is for another architecture",
     [] { return changed(ownHeader(), 4); }, "wrong-architecture", "architecture"},
    {"a library of the other byte order is for another architecture",
     [] { return changed(ownHeader(), 5); }, "wrong-architecture", "architecture"},
    {"a text file is not a library", [] { return std::string("a file of text, not of code"); },
     "not-a-library", "not a shared library"},
    {"an empty file is not a library", [] { return std::string(); }, "not-a-library",
     "not a shared library"},
    {"a file shorter than a header is not a library", [] { return ownHeader().substr(0, 19); },
     "not-a-library", "not a shared library"},
    {"a library cut short cannot be loaded, in the loader's words", [] { return ownHeader(); },
     "not-loadable", "library.so"},
};

const check::AddEach kRefused(kFiles, [](const FileCase& row) {
  if (ownHeader().substr(1, 3) != "ELF") {
    check::skip("libraries of this system are not ELF files");
    return;
  }
  const test::TempFolder folder;
  const auto path = folder.path() / "library.so";
  std::ofstream(path, std::ios::binary) << row.content();
  const auto opened = SharedLibrary::open(path);
  if (check::failed(opened, ErrorCode::kEngineUnavailable, row.message)) {
    check::equal(opened.error().detail, row.detail, "the reason");
    check::contains(opened.error().message, path.string());
  }
});

struct PathCase {
  const char* name;
  std::string path;
  const char* message;
};

const PathCase kPaths[] = {
    {"a missing file is not found", std::string(INFER_SOURCE_DIR) + "/no/such/lib.so", "no such"},
    {"a folder is not a file", INFER_SOURCE_DIR, "no such file"},
    {"a bare name that no search finds is not found", "libinfer-no-such-library.so", "libinfer-no"},
    {"an empty path is not the program itself", "", "empty"},
};

const check::AddEach kMissing(kPaths, [](const PathCase& row) {
  const auto opened = SharedLibrary::open(row.path);
  if (check::failed(opened, ErrorCode::kEngineUnavailable, row.message)) {
    check::equal(opened.error().detail, "not-found", "the reason");
  }
});

const check::Add kSymbol("a library gives its symbols, and says which one it lacks", [] {
  const auto library = SharedLibrary::open(INFER_EMPTY_LIBRARY);
  if (!check::succeeded(library, "a library")) {
    return;
  }
  const auto known = library.value().symbol("inferTestAnswer");
  check::equal(reinterpret_cast<int (*)()>(known.value())(), 42, "what its function returns");
  check::that(std::filesystem::equivalent(infer::fileOfSymbol(known.value()), INFER_EMPTY_LIBRARY),
              "the library as the symbol's file");
  const auto lacking = library.value().symbol("OrtGetApiBase");
  if (check::failed(lacking, ErrorCode::kEngineUnavailable, "OrtGetApiBase")) {
    check::equal(lacking.error().detail, "no-entry-point", "the reason");
  }
});

const check::Add kMapped("a library of this process is found by its name, no other is", [] {
  const std::string name = std::filesystem::path(INFER_MAPPED_LIBRARY).filename();
  const auto before = SharedLibrary::openMapped(name);
  if (check::failed(before, ErrorCode::kEngineUnavailable, "not loaded in this process")) {
    check::equal(before.error().detail, "not-found", "the reason");
  }
  check::succeeded(SharedLibrary::open(INFER_MAPPED_LIBRARY), "a library");
  check::succeeded(SharedLibrary::openMapped(name), "the same one");
  check::failed(SharedLibrary::openMapped(""), ErrorCode::kEngineUnavailable, "not loaded");
});

}  // namespace
