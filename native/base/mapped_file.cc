// SPDX-License-Identifier: Apache-2.0
// Mapping a file, and the reason when that fails.
#include "native/base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "native/base/error.h"

namespace infer {
namespace {

Error unreadable(const std::string& path, int code) {
  const std::error_code reason(code, std::generic_category());
  const bool absent = reason == std::errc::no_such_file_or_directory;
  const std::string what = absent ? "no such model file" : "cannot be read: " + reason.message();
  return {ErrorCode::kModelNotFound, path + ": " + what, {}};
}

// What is mapped of an open file; MAP_FAILED with errno set when it cannot be.
void* map(int file, std::size_t& size) {
  struct stat facts{};
  if (fstat(file, &facts) != 0) {
    return MAP_FAILED;
  }
  if (!S_ISREG(facts.st_mode)) {
    errno = S_ISDIR(facts.st_mode) ? EISDIR : EINVAL;
    return MAP_FAILED;
  }
  size = static_cast<std::size_t>(facts.st_size);
  return size == 0 ? nullptr : mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
}

}  // namespace

Result<MappedFile> MappedFile::open(const std::string& path) {
  // NOLINTNEXTLINE(misc-include-cleaner): fcntl.h is where O_CLOEXEC is documented to come from
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    return unreadable(path, errno);
  }
  std::size_t size = 0;
  void* const start = map(file, size);
  const int problem = errno;
  close(file);
  if (start == MAP_FAILED) {
    return unreadable(path, problem);
  }
  return MappedFile(std::span(static_cast<const std::byte*>(start), size));
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) {
    munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
  }
}

}  // namespace infer
