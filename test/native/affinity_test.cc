// SPDX-License-Identifier: Apache-2.0
// Pinning real threads of this machine and asking the system where they may run.
#include "native/base/affinity.h"

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "native/base/error.h"
#include "test/native/check.h"

namespace {

using infer::ErrorCode;
using infer::Result;

std::vector<int> allowedHere() {
  const Result<std::vector<int>> cores = infer::allowedCores();
  check::that(cores.ok(), "the allowed cores of this thread");
  return cores.ok() ? cores.value() : std::vector<int>{};
}

// Pins inside a thread of its own, so that the cases do not change each other's mask.
void inThread(const std::function<void()>& body) {
  std::thread thread(body);
  thread.join();
}

const check::Add kAscending("allowed cores are ascending ids without repetition", [] {
  const std::vector<int> cores = allowedHere();
  check::that(!cores.empty(), "at least one core");
  for (std::size_t i = 1; i < cores.size(); ++i) {
    check::that(cores[i - 1] < cores[i], "ascending ids");
  }
});

// Elsewhere the operating system has no such call, and the refusals below are all there is to test.
bool canPin() {
  return std::filesystem::exists("/proc/self/status");
}

const check::Add kEveryCore("a thread can be pinned to each allowed core, one after the other", [] {
  const std::vector<int> all = allowedHere();
  for (const int core : canPin() ? all : std::vector<int>{}) {
    inThread([core] {
      const Result<void> pinned = infer::pinThisThread(core);
      check::that(pinned.ok(), "core " + std::to_string(core) + " to be granted");
      check::equal(allowedHere(), std::vector<int>{core}, "only core " + std::to_string(core));
    });
  }
  check::equal(allowedHere(), all, "the starting thread's mask untouched");
});

const check::Add kRepeated("a list may repeat cores in any order", [] {
  const std::vector<int> all = allowedHere();
  std::vector<int> doubled(all.rbegin(), all.rend());
  doubled.insert(doubled.end(), all.begin(), all.end());
  inThread([&] {
    check::equal(infer::pinThisThread(doubled).ok(), canPin(), "a grant wherever there can be one");
    check::equal(allowedHere(), all, "every allowed core");
  });
});
struct RefusedCase {
  const char* name;
  std::vector<int> extra;
  bool withAllowed;
  ErrorCode code;
  const char* message;  // part of it
};

const std::vector<RefusedCase> kRefusals = {
    {"an empty list is refused", {}, false, ErrorCode::kBadInput, "at least one core"},
    {"a negative id is refused", {-1}, false, ErrorCode::kBadInput, "-1"},
    {"an id beyond any host is refused", {65536}, false, ErrorCode::kBadInput, "65536"},
    {"a core this host lacks is refused", {65535}, false, ErrorCode::kDeviceUnavailable, ""},
    {"a list of which the host lacks a part is refused, not cut down",
     {65535},
     true,
     ErrorCode::kDeviceUnavailable,
     ""},
};

void checkRefused(const RefusedCase& row) {
  const std::vector<int> all = allowedHere();
  std::vector<int> asked = row.extra;
  if (row.withAllowed) {
    asked.push_back(all.back());
  }
  inThread([&] {
    const Result<void> pinned = infer::pinThisThread(std::span<const int>(asked));
    if (!check::that(!pinned.ok(), "a refusal")) {
      return;
    }
    check::equal(pinned.error().code, row.code, std::string(errorCodeName(row.code)));
    check::that(pinned.error().message.find(row.message) != std::string::npos,
                std::string(row.message) + " in: " + pinned.error().message);
    check::equal(allowedHere(), all, "the mask from before");
  });
}

const bool kRegistered = [] {
  for (const RefusedCase& row : kRefusals) {
    check::cases().push_back({row.name, [&row] { checkRefused(row); }});
  }
  return true;
}();

const check::Add kLongName("a long thread name is cut to fifteen bytes, not refused", [] {
  inThread([] {
    infer::nameThisThread("a name of more than fifteen bytes");
    std::string shown = "a name of more ";
    if (canPin()) {
      std::getline(std::ifstream("/proc/thread-self/comm"), shown);
    }
    check::equal(shown, std::string("a name of more "), "the first fifteen bytes, got " + shown);
  });
});

}  // namespace
