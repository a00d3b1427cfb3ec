// SPDX-License-Identifier: Apache-2.0
// close() at every moment of a model's life.
import t from 'tap';
import { loadModel } from '../../lib/index.js';
import { fixture } from '../helpers.js';
import { isRow, spinRow } from './spin.js';

const file = fixture('spin_batch.onnx');
const idle = () => new Promise(resolve => setImmediate(resolve));

t.test('accepted requests are answered before close() settles', async t => {
  const model = await loadModel(file);
  const rows = Array.from({ length: 40 }, (_, i) => spinRow(2000, i));
  let answered = 0;
  const answers = rows.map(x => model.predict({ x }).finally(() => answered++));
  await model.close();
  t.equal(answered, rows.length, 'all of them');
  const got = await Promise.all(answers);
  t.ok(got.every(({ y }, i) => isRow(y?.data, rows[i] as Float32Array)));
});

t.test('a closed model refuses and still tells what it did', async t => {
  const model = await loadModel(file);
  await model.predict({ x: spinRow(2) });
  const closing = model.close();
  await t.rejects(model.predict({ x: spinRow(2) }), { code: 'INFER_CLOSED' }, 'from the call on');
  await closing;
  await t.rejects(model.predict({ x: spinRow(2) }), { code: 'INFER_CLOSED' });
  await t.rejects(model.predict({}), { code: 'INFER_CLOSED' }, 'before it looks at the inputs');
  t.equal(model.stats().requests, 1);
  t.equal(model.info.name, 'spin_batch');
});

t.test('close() twice is one close()', async t => {
  const model = await loadModel(file);
  void model.predict({ x: spinRow(20_000) });
  const first = model.close();
  t.equal(model.close(), first);
  await first;
  t.equal(model.close(), first);
});

t.test('one handle closes, the others of the same model work on', async t => {
  const [one, other] = await Promise.all([loadModel(file), loadModel(file)]);
  const row = spinRow(20_000, 7);
  const answer = other.predict({ x: row });
  await one.close();
  t.ok(isRow((await answer)['y']?.data, row));
  t.ok(isRow((await other.predict({ x: row }))['y']?.data, row));
  await other.close();
});

t.test('closing during loads of the same and of other files hurts neither', async t => {
  const row = spinRow(2, 3);
  let right = 0;
  for (let i = 0; i < 20; i++) {
    const model = await loadModel(file);
    const loads = [loadModel(file), loadModel(fixture('two_batch_names.onnx'))] as const;
    const closing = model.close();
    const [same, other] = await Promise.all(loads);
    const answer = await same.predict({ x: row });
    await other.predict({ a: new Float32Array(2), b: new Float32Array(2) });
    if (isRow(answer['y']?.data, row)) right++;
    await Promise.all([closing, same.close(), other.close()]);
  }
  t.equal(right, 20);
});

t.test('cancelling what runs while the model closes ends both', async t => {
  const model = await loadModel(file, { placement: { lanes: 1 } });
  const controller = new AbortController();
  const { signal } = controller;
  const long = model.predict({ x: spinRow(16_000_000) }, { signal });
  await idle();
  const closing = model.close();
  controller.abort();
  await t.rejects(long, { code: 'INFER_CANCELLED' });
  await closing;
});

t.test('a load that fails leaves nothing that a second load could trip over', async t => {
  const loads = Array.from({ length: 20 }, () => loadModel(fixture('future_opset.onnx')));
  const ends = await Promise.allSettled(loads);
  const codes = ends.map(end => (end.status === 'rejected' ? end.reason.code : 'loaded'));
  t.same(new Set(codes), new Set(['INFER_MODEL_INVALID']), 'all of them at once');
  await t.rejects(loadModel(fixture('future_opset.onnx')), { code: 'INFER_MODEL_INVALID' });
});

t.test('loads and closes by the hundred end where they began', async t => {
  const round = async () => {
    const model = await loadModel(file);
    await model.predict({ x: spinRow(2) });
    await model.close();
  };
  for (let i = 0; i < 100; i++) await round(); // what grows once, in the engine and the allocator
  const before = process.memoryUsage.rss();
  for (let i = 0; i < 200; i++) await round();
  const grown = (process.memoryUsage.rss() - before) / 2 ** 20;
  t.comment(`resident memory after 200 more: ${grown.toFixed(1)} MiB`);
  t.ok(grown < 32, 'resident memory stays within 32 MiB');
});
