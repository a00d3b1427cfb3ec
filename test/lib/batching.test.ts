// SPDX-License-Identifier: Apache-2.0
// The options of `batching` through predict(): what runs are made of, and that no answer shows it.
import t from 'tap';
import { loadModel } from '../../lib/index.js';
import { fixture } from '../helpers.js';

const oneLane = { placement: { lanes: 1 } } as const;

/** Row `index` of a model with `width` inputs, different from every other row. */
function row(index: number, width: number): number[] {
  return Array.from({ length: width }, (_, column) => 100 * index + column);
}

t.test('a model of two fixed rows takes any number with buckets', async t => {
  const model = await loadModel(fixture('fixed_batch.onnx'), {
    ...oneLane,
    batching: { buckets: [2] },
  });
  t.teardown(() => model.close());
  t.equal(model.info.batching.maxBatch, 2);
  t.same(model.info.batching.buckets, [2]);
  t.same(model.info.signature.inputs[0]?.shape, [-1, 3]);
  for (const rows of [1, 2, 5]) {
    const values = Array.from({ length: rows }, (_, index) => row(index, 3)).flat();
    const { y } = await model.predict({ x: Float32Array.from(values) });
    t.same(y?.shape, [rows, 3]);
    t.same(
      y?.data,
      Float32Array.from(values, value => value + 1),
    );
  }
  t.match(model.stats(), { batches: 5, rows: 8, paddedRows: 2 });
});

t.test('requests of one row share padded runs', async t => {
  const model = await loadModel(fixture('affine.onnx'), {
    ...oneLane,
    warmup: 'random',
    batching: { buckets: [4, 16] },
  });
  t.teardown(() => model.close());
  const inputs = Array.from({ length: 21 }, (_, index) => Float32Array.from(row(index, 4)));
  const answers = await Promise.all(inputs.map(x => model.predict({ x })));
  const plain = await loadModel(fixture('affine.onnx'), oneLane);
  t.teardown(() => plain.close());
  for (const [index, x] of inputs.entries()) {
    t.same(answers[index]?.['y'], (await plain.predict({ x }))['y']);
  }
  const { rows, paddedRows, batches } = model.stats();
  t.equal(rows, 21);
  t.equal((rows + paddedRows) % 4, 0, `${batches} runs of 4 or 16 rows`);
});

t.test('buckets that a model cannot run are refused', async t => {
  const cases = [
    {
      file: 'fixed_batch.onnx',
      buckets: [4],
      message: /expected \[2\] for a model whose input "x"/,
    },
    { file: 'scalar.onnx', buckets: [4], message: /expected none for a model whose input "x"/ },
    { file: 'affine.onnx', buckets: [4, 2], message: /ascending order, got \[4, 2\]/ },
  ];
  for (const { file, buckets, message } of cases) {
    await t.rejects(loadModel(fixture(file), { batching: { buckets } }), {
      code: 'INFER_BAD_INPUT',
      message,
    });
  }
});

t.test('mode "triton" runs a preferred size at once and divides no request', async t => {
  const model = await loadModel(fixture('affine.onnx'), {
    ...oneLane,
    batching: { mode: 'triton', maxBatch: 8, preferred: [6, 2], maxDelayUs: 60_000_000 },
  });
  t.teardown(() => model.close());
  const { y } = await model.predict({ x: new Float32Array(2 * 4) });
  t.same(y?.shape, [2, 3], 'an answer long before the delay is over');
  const three = model.predict({ x: new Float32Array(3 * 4) });
  const seven = model.predict({ x: new Float32Array(7 * 4) });
  t.same((await seven)['y']?.shape, [7, 3]);
  t.same((await three)['y']?.shape, [3, 3], 'which went when the 7 came');
  t.equal(model.stats().batches, 3);
  await t.rejects(model.predict({ x: new Float32Array(9 * 4) }), {
    code: 'INFER_BAD_INPUT',
    message: 'input "x": expected at most 8 rows (batching.maxBatch), got 9 rows',
  });
});

t.test('preferred sizes are for mode "triton" and within maxBatch', async t => {
  const cases = [
    { batching: { preferred: [4] }, message: /expected none unless batching.mode is "triton"/ },
    {
      batching: { mode: 'triton', maxBatch: 8, preferred: [16, 4] },
      message: /expected sizes up to batching.maxBatch, 8, got \[4, 16\]/,
    },
  ] as const;
  for (const { batching, message } of cases) {
    await t.rejects(loadModel(fixture('affine.onnx'), { batching }), {
      code: 'INFER_BAD_INPUT',
      message,
    });
  }
});

/** `count` values from `first` on. */
function counted(first: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => first + index);
}

const masked = { ...oneLane, batching: { padding: { x: { value: 1000, mask: 'mask' } } } } as const;

t.test('requests of different lengths share a run and get answers of their own', async t => {
  const model = await loadModel(fixture('masked_mean.onnx'), masked);
  t.teardown(() => model.close());
  t.same(model.info.batching.padding, { x: { value: 1000, mask: 'mask' } });
  const lengths = [3, 1, 7, 4, 7, 2];
  const answers = await Promise.all(
    lengths.map((length, index) =>
      model.predict({ x: { shape: [1, length], data: counted(100 * index, length) } }),
    ),
  );
  for (const [index, length] of lengths.entries()) {
    const data = counted(100 * index, length);
    t.same(answers[index], {
      doubled: { type: 'float32', shape: [1, length], data: data.map(value => 2 * value) },
      mean: { type: 'float32', shape: [1], data: Float32Array.of(100 * index + (length - 1) / 2) },
    });
  }
  t.ok(model.stats().batches < lengths.length, `${model.stats().batches} runs`);
});

t.test('a mask of the caller counts as well', async t => {
  const model = await loadModel(fixture('masked_mean.onnx'), masked);
  t.teardown(() => model.close());
  const given = model.predict({
    x: { shape: [2, 3], data: counted(0, 6) },
    mask: { shape: [2, 3], data: BigInt64Array.of(1n, 1n, 0n, 0n, 0n, 1n) },
  });
  const leftOut = model.predict({ x: { shape: [1, 5], data: counted(10, 5) } });
  t.same((await given)['mean']?.data, Float32Array.of(0.5, 5));
  t.same((await leftOut)['mean']?.data, Float32Array.of(12));
  await t.rejects(
    model.predict({
      x: { shape: [1, 3], data: counted(0, 3) },
      mask: { shape: [1, 2], data: BigInt64Array.of(1n, 1n) },
    }),
    {
      code: 'INFER_BAD_INPUT',
      message: 'input "mask": expected 3 along axis 1 (length) as in another input, got 2',
    },
  );
});

t.test('only a mask may be left out', async t => {
  const plain = await loadModel(fixture('masked_mean.onnx'), oneLane);
  t.teardown(() => plain.close());
  const padded = await loadModel(fixture('masked_mean.onnx'), masked);
  t.teardown(() => padded.close());
  const x = { shape: [1, 3], data: counted(0, 3) };
  const mask = { shape: [1, 3], data: BigInt64Array.of(1n, 1n, 1n) };
  const missing = (name: string) => ({
    code: 'INFER_BAD_INPUT',
    message: `input "${name}": missing; its inputs are "x", "mask"`,
  });
  await t.rejects(plain.predict({ x }), missing('mask'));
  await t.rejects(padded.predict({ mask }), missing('x'));
});

t.test('padding that a model cannot take is refused', async t => {
  const cases = [
    { file: 'affine.onnx', padding: { x: {} }, message: /with a free axis beside axis 0/ },
    { file: 'affine.onnx', padding: { z: {} }, message: /no input "z"; its inputs are "x"/ },
    { file: 'fixed_batch.onnx', padding: { x: {} }, message: /cannot share a run/ },
    { file: 'masked_mean.onnx', padding: { x: {} }, message: /a value for the input "mask" too/ },
    { file: 'masked_mean.onnx', padding: { mask: { value: 0.5 } }, message: /a value of int64/ },
  ];
  for (const { file, padding, message } of cases) {
    await t.rejects(loadModel(fixture(file), { batching: { padding } }), {
      code: 'INFER_BAD_INPUT',
      message,
    });
  }
});
