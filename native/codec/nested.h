// SPDX-License-Identifier: Apache-2.0
// JSON arrays to tensors.
// Threads: values; any.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "native/base/error.h"
#include "native/base/tensor.h"
#include "native/codec/column.h"
#include "native/codec/cursor.h"

namespace infer::codec {

// How messages call the element that indices lead to: `prefix[0][1]`, or `prefix[0].member[1]`; in
// a row with a name of its own `row: member[1]`.
struct Place {
  std::string prefix;
  std::string_view member = {};  // of the rows that the first axis counts
  std::string row = {};          // in place of `prefix` and the first index

  std::string path(std::span<const std::size_t> indices) const;
};

// An element of a sparse row: its place there, and where its value begins.
struct SparseCell {
  std::size_t key;
  std::size_t at;
};

// Reads arrays nested as deep as a tensor has axes. Of axes whose size is not known the first array
// says it; all others have to agree.
class NestedReader {
 public:
  // `sizes`: of each axis, kFreeAxis for one that is not known.
  NestedReader(const TensorSpec& spec, Shape sizes);

  // Steps over the value that is the tensor from `axis` on.
  bool read(Cursor& cursor, std::size_t axis = 0);
  // Takes the sizes of unknown axes from the first arrays of that value, in a text that has been
  // walked before, so that failure() can name all of them. Fails where the signature fixes another.
  std::optional<Error> learnSizes(Cursor cursor, std::size_t axis, const Place& place);

  // Appends a row of `size` elements: `cells`, by ascending key, and zeros. For a tensor of two
  // axes, otherwise as read().
  bool readSparse(Cursor cursor, std::size_t size, std::span<const SparseCell> cells);

  // What was wrong when read() returned false, in such a text.
  Error failure(Cursor cursor, const Place& place) const;
  // Says that what read() returned false for was within entry `index` of the axis above.
  void within(std::size_t index) { indices_.push_back(index); }

  Tensor finish() &&;

 private:
  bool fail(std::size_t at, std::size_t axis);
  bool readAxis(Cursor& cursor, std::size_t axis, std::size_t& count);

  const TensorSpec& spec_;
  Shape sizes_;
  Column column_;
  // Of a failure: where, in which axis (that behind the last is the elements), and the indices that
  // lead there, innermost first.
  std::size_t failedAt_ = 0;
  std::size_t failedAxis_ = 0;
  std::vector<std::size_t> indices_;
};

// Of any text, without saying what is wrong. On false the cursor is anywhere.
std::optional<Tensor> tryNested(Cursor& cursor, const TensorSpec& spec);

// Of a text that has been walked before.
Result<Tensor> readNested(Cursor cursor, const TensorSpec& spec, const Place& place);

// Data whose shape was given beside it: flat in row-major order, or nested like the shape. `shape`
// fits `spec`. Both as above.
std::optional<Tensor> tryShaped(Cursor& cursor, const TensorSpec& spec, const Shape& shape);
Result<Tensor> readShaped(Cursor cursor, const TensorSpec& spec, const Shape& shape,
                          const Place& place);

}  // namespace infer::codec
