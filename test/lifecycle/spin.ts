// SPDX-License-Identifier: Apache-2.0
// Rows for test/fixtures/spin_batch.onnx, a model whose run takes as long as its input says.

const width = 64;

/**
 * One row whose run makes `trips` loop trips of about 1 us each, and whose answer is the row itself.
 * @param trips  even, at most 2^24. In a batch the first row's count holds for all; as every even count gives
 *               each row back, answers stay exact whatever shares the batch.
 * @param mark   a small integer in every other place, to tell rows apart.
 */
export function spinRow(trips: number, mark = 1): Float32Array {
  const row = new Float32Array(width).fill(mark);
  row[0] = trips;
  return row;
}

/** The same row as a JSON body of predictJson(): with `large`, of more bytes than are read on a JS thread. */
export function spinBody(row: Float32Array, large: boolean): Buffer {
  return Buffer.from(`${' '.repeat(large ? 70_000 : 0)}[[${row.join()}]]`);
}

/** Whether `data` is exactly `row`. */
export function isRow(data: ArrayLike<unknown> | undefined, row: Float32Array): boolean {
  return data?.length === row.length && row.every((value, index) => data[index] === value);
}
