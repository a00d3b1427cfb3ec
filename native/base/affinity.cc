// SPDX-License-Identifier: Apache-2.0
// Thread affinity over sched_setaffinity; the reason why not where the system has no such call.
// Threads: every function reads or changes the calling thread only; any.
#include "native/base/affinity.h"

#include <pthread.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "native/base/error.h"

#if defined(__linux__)
#include <sched.h>

#include <cerrno>
#include <system_error>
#else
#include <thread>
#endif

namespace infer {

namespace {

// Linux builds know at most 8192 cores (CONFIG_NR_CPUS on x86); this leaves room and bounds the
// mask.
constexpr int kMaxCores = 65536;

Result<void> checkIds(std::span<const int> cores) {
  if (cores.empty()) {
    return Error{ErrorCode::kBadInput, "cores: expected at least one core id, got an empty list",
                 ""};
  }
  for (const int core : cores) {
    if (core < 0 || core >= kMaxCores) {
      return Error{ErrorCode::kBadInput,
                   "cores: expected ids from 0 to " + std::to_string(kMaxCores - 1) + ", got " +
                       std::to_string(core),
                   ""};
    }
  }
  return {};
}

}  // namespace

#if defined(__linux__)

namespace {

// An affinity mask of as many words as the kernel or the largest id asks for.
using Mask = std::vector<cpu_set_t>;

std::size_t bytesOf(const Mask& mask) {
  return mask.size() * sizeof(cpu_set_t);
}

std::string reasonOf(int number) {
  return std::generic_category().message(number);
}

std::string joined(const std::vector<int>& cores) {
  std::string text;
  for (const int core : cores) {
    text += (text.empty() ? "" : ", ") + std::to_string(core);
  }
  return text;
}

Error refused(const std::string& what) {
  return Error{ErrorCode::kDeviceUnavailable, what, ""};
}

// The kernel answers EINVAL while the mask is smaller than its own, so it grows until it fits.
Result<Mask> currentMask() {
  for (std::size_t sets = 1; sets <= kMaxCores / CPU_SETSIZE; sets *= 2) {
    Mask mask(sets);
    if (sched_getaffinity(0, bytesOf(mask), mask.data()) == 0) {
      return mask;
    }
    if (errno != EINVAL) {
      return refused("the system does not tell which cores are allowed: " + reasonOf(errno));
    }
  }
  return refused("this system has more than " + std::to_string(kMaxCores) + " cores");
}

std::vector<int> idsIn(const Mask& mask) {
  std::vector<int> ids;
  const std::size_t bytes = bytesOf(mask);
  for (std::size_t id = 0; id < bytes * 8; ++id) {
    if (CPU_ISSET_S(id, bytes, mask.data())) {
      ids.push_back(static_cast<int>(id));
    }
  }
  return ids;
}

Mask maskOf(const std::vector<int>& ids) {
  Mask mask(static_cast<std::size_t>(ids.back()) / CPU_SETSIZE + 1);
  for (const int id : ids) {
    CPU_SET_S(static_cast<std::size_t>(id), bytesOf(mask), mask.data());
  }
  return mask;
}

}  // namespace

Result<std::vector<int>> allowedCores() {
  Result<Mask> mask = currentMask();
  if (!mask.ok()) {
    return std::move(mask).error();
  }
  return idsIn(mask.value());
}

Result<void> pinThisThread(std::span<const int> cores) {
  if (Result<void> valid = checkIds(cores); !valid.ok()) {
    return valid;
  }
  const Result<Mask> before = currentMask();
  if (!before.ok()) {
    return before.error();
  }
  std::vector<int> wanted(cores.begin(), cores.end());
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  const Mask mask = maskOf(wanted);
  if (sched_setaffinity(0, bytesOf(mask), mask.data()) != 0) {
    return refused("cannot run on cores " + joined(wanted) + ": " + reasonOf(errno) +
                   "; allowed: " + joined(idsIn(before.value())));
  }
  const Result<std::vector<int>> granted = allowedCores();
  if (granted.ok() && granted.value() == wanted) {
    return {};
  }
  // Nothing to add if this fails too: the error below is the one to report.
  static_cast<void>(sched_setaffinity(0, bytesOf(before.value()), before.value().data()));
  if (!granted.ok()) {
    return granted.error();
  }
  return refused("asked for cores " + joined(wanted) + ", the system granted " +
                 joined(granted.value()) + "; allowed: " + joined(idsIn(before.value())));
}

int currentCore() {
  return sched_getcpu();
}

#else

Result<std::vector<int>> allowedCores() {
  std::vector<int> ids;
  const int count = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  for (int id = 0; id < count; ++id) {
    ids.push_back(id);
  }
  return ids;
}

Result<void> pinThisThread(std::span<const int> cores) {
  if (Result<void> valid = checkIds(cores); !valid.ok()) {
    return valid;
  }
  return Error{ErrorCode::kDeviceUnavailable, "this operating system cannot pin a thread to cores",
               ""};
}

int currentCore() {
  return -1;
}

#endif

Result<void> pinThisThread(int core) {
  return pinThisThread(std::span<const int>(&core, 1));
}

void nameThisThread(std::string_view name) {
  const std::string kept(name.substr(0, 15));
#if defined(__linux__)
  pthread_setname_np(pthread_self(), kept.c_str());
#else
  pthread_setname_np(kept.c_str());
#endif
}

}  // namespace infer
