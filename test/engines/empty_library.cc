// SPDX-License-Identifier: Apache-2.0
// A library that can be opened and is no engine.
// Threads: any.

extern "C" int inferTestAnswer();

extern "C" int inferTestAnswer() {
  return 42;
}
