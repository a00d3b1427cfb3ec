// SPDX-License-Identifier: Apache-2.0
// Opens a foreign library at run time and says precisely why it cannot be used.
// Threads: any. A library is never closed again: engines keep threads and registrations in it.
#pragma once

#include <string>

#include "native/base/error.h"

namespace infer {

class SharedLibrary {
 public:
  // `path` is a file, or a bare name for the loader's own search. Fails with kEngineUnavailable and
  // detail not-found | not-a-library | wrong-architecture | not-loadable.
  static Result<SharedLibrary> open(const std::string& path);
  // Only a copy that this process has mapped already; not-found otherwise.
  static Result<SharedLibrary> openMapped(const std::string& name);

  // kEngineUnavailable, detail no-entry-point, when the library lacks it.
  Result<void*> symbol(const char* name) const;
  // The file that was opened, as the loader knows it.
  const std::string& path() const { return path_; }

 private:
  SharedLibrary(void* handle, std::string path);
  void* handle_;  // owned by the loader from here on
  std::string path_;
};

// The file that holds `symbol`; empty when the loader does not know.
std::string fileOfSymbol(const void* symbol);

// Whether the first bytes of a file are a library of the machine this code was compiled for.
// Compared with our own module, so that no list of machines is needed; empty when they fit.
std::string whyNotLoadable(const std::string& path);

}  // namespace infer
