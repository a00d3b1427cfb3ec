// SPDX-License-Identifier: Apache-2.0
// One row as a vector: `{"values": [...]}`, with "keys" and "shape" when most of it is zero.
// Threads: pure functions; any.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "native/base/error.h"
#include "native/codec/cursor.h"
#include "native/codec/nested.h"

namespace infer::codec {

struct VectorRow {
  std::size_t values = kNowhere;  // where the array of values begins
  bool isSparse = false;
  // Of a sparse one: how many elements it has, and those that are given, by ascending key.
  std::size_t size = 0;
  std::vector<SparseCell> cells;
};

// `object`: at it, in a text that has been walked before. `path`: of it, for messages.
Result<VectorRow> readVectorRow(Cursor object, const std::string& path);

}  // namespace infer::codec
