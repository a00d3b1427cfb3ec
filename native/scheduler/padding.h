// SPDX-License-Identifier: Apache-2.0
// Padding of free axes: how requests of different lengths share a run.
// Threads: resolved on a loader thread, constant from then on; functions are pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "native/base/error.h"
#include "native/base/request.h"
#include "native/base/tensor.h"
#include "native/scheduler/pad_value.h"

namespace infer {

// One input that may be padded along its free axes, as it was asked for.
struct PadRule {
  std::string input;
  double value = 0;  // of an element of padding
  std::string mask;  // the input that says which elements are real; "": none
};

// The same for all tensors of a model. Axes that the file gives one name have one length, which is
// known by a number; in a batch each length is the longest of its requests.
struct Padding {
  struct Axes {
    std::vector<std::optional<std::size_t>> lengths;  // by axis; nullopt: never padded
    Element value{};                                  // what padding consists of
    bool isMask = false;  // 1 where elements are real; made when a caller leaves it out
    bool padded() const;
  };
  std::vector<Axes> inputs;        // as in the signature; empty: nothing is padded
  std::vector<Axes> outputs;       // cut back to the length that the request has
  std::vector<std::string> names;  // of the lengths, for messages
};

// Fails with kBadInput where the model cannot do it.
Result<Padding> resolvePadding(const std::vector<PadRule>& rules, const Signature& signature,
                               bool batchable);

// Sets rows, tail and lengths of a request of a batchable model from its inputs, which match the
// signature. Makes the masks that are left out, given as tensors without axes.
Result<void> measure(Request& request, const Signature& signature, const Padding& padding);

}  // namespace infer
