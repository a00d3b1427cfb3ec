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
