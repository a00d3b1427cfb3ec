// SPDX-License-Identifier: Apache-2.0
// What a load decides before and after the engine's part: sharing, batching, the first run.
// Threads: loader; pure functions but for the files they look at.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/engine/engine.h"
#include "native/scheduler/buckets.h"
#include "native/scheduler/policy.h"
#include "native/scheduler/scheduler.h"

namespace infer {

// Two loads with equal keys may share one model. A file that was replaced meanwhile is another
// model.
std::string sharingKey(const LoadSpec& spec, std::string_view engine);

// Whether and how far rows may be batched. Asking for it explicitly is taken as the word that axis
// 0 is the batch axis, also where the exporter gave it different names, or fixed it at the one
// bucket that was asked for.
Result<Limits> resolveLimits(Limits limits, const Signature& signature);

// A run of one row of zeros, or of each bucket, in the shapes that are declared for some inputs.
// Fails also where a fixed shape is too large to exist.
Result<void> warmUp(LoadedModel& model, const std::map<std::string, Shape>& declared,
                    Buckets buckets);

}  // namespace infer
