// SPDX-License-Identifier: Apache-2.0
// Opening and reading a file, and the reason when that fails.
#include "native/base/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
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

// 0, or why it cannot be read as a file.
int look(int descriptor, struct stat& facts) {
  if (fstat(descriptor, &facts) != 0) {
    return errno;
  }
  if (!S_ISREG(facts.st_mode)) {
    return S_ISDIR(facts.st_mode) ? EISDIR : EINVAL;
  }
  return 0;
}

}  // namespace

Result<InputFile> InputFile::open(const std::string& path) {
  // NOLINTNEXTLINE(misc-include-cleaner): fcntl.h is where O_CLOEXEC is documented to come from
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    return unreadable(path, errno);
  }
  struct stat facts{};
  if (const int problem = look(descriptor, facts); problem != 0) {
    close(descriptor);
    return unreadable(path, problem);
  }
  return InputFile(descriptor, facts);
}

InputFile::InputFile(InputFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), facts_(other.facts_) {}

InputFile& InputFile::operator=(InputFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(facts_, other.facts_);
  return *this;
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) {
    close(descriptor_);
  }
}

std::size_t InputFile::read(std::uint64_t offset, std::span<std::byte> out) const {
  std::size_t done = 0;
  while (done < out.size()) {
    const ssize_t got =
        pread(descriptor_, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (got <= 0) {
      if (got < 0 && errno == EINTR) {
        continue;
      }
      break;
    }
    done += static_cast<std::size_t>(got);
  }
  return done;
}

bool InputFile::isStill(const std::string& path) const {
  struct stat now{};
  return stat(path.c_str(), &now) == 0 && now.st_dev == facts_.st_dev &&
         now.st_ino == facts_.st_ino && now.st_size == facts_.st_size &&
         now.st_mtim.tv_sec == facts_.st_mtim.tv_sec &&
         now.st_mtim.tv_nsec == facts_.st_mtim.tv_nsec;
}

}  // namespace infer
