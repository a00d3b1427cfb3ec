// SPDX-License-Identifier: Apache-2.0
// close(): accepted requests finish, new ones are refused, and it may be called at any time.
import t from 'tap';
import { loadModel } from '../../lib/index.js';
import { failure, fixture, until } from '../helpers.js';

const four = new Float32Array(4);
const work = { x: new Float32Array(64), iterations: new BigInt64Array([20_000n]) };

t.test('an idle model closes, and always with the same promise', async t => {
  const model = await loadModel(fixture('affine.onnx'));
  const first = model.close();
  t.equal(model.close(), first);
  await first;
  t.equal(model.close(), first);
});

t.test('a closed model refuses requests, keeps its info and its last counters', async t => {
  const model = await loadModel(fixture('affine.onnx'), { name: 'closed' });
  await model.predict({ x: four });
  await model.close();
  const error = await failure(model.predict({ x: four }));
  t.match(error, { name: 'InferenceError', code: 'INFER_CLOSED', message: /"closed"/ });
  t.equal(model.info.name, 'closed');
  t.equal(model.stats().completed, 1);
});

t.test('what was accepted is answered, what comes after close() is not', async t => {
  const placement = { lanes: 1 };
  const model = await loadModel(fixture('spin.onnx'), { name: 'busy', placement });
  const calls = Array.from({ length: 8 }, () => model.predict(work));
  const order: string[] = [];
  for (const call of calls) call.then(() => order.push('answer'));
  await until(() => model.stats().inFlight > 0);
  const closed = model.close().then(() => order.push('closed'));
  await t.rejects(model.predict(work), { code: 'INFER_CLOSED' });
  await closed;
  t.same(order, [...new Array(8).fill('answer'), 'closed']);
  const { completed, queueDepth, inFlight } = model.stats();
  t.match({ completed, queueDepth, inFlight }, { completed: 8, queueDepth: 0, inFlight: 0 });
});

t.test('requests of the same turn as close() are accepted ones', async t => {
  const model = await loadModel(fixture('affine.onnx'));
  const call = model.predict({ x: four });
  const closed = model.close();
  t.ok((await call)['y']);
  await closed;
});

t.test('close() waits for requests that fail, too', async t => {
  const model = await loadModel(fixture('spin.onnx'), { name: 'failing', placement: { lanes: 1 } });
  const endless = { ...work, iterations: new BigInt64Array([BigInt(2 ** 40)]) };
  const call = model.predict(endless, { timeoutMs: 20 });
  const closed = model.close();
  await t.rejects(call, { code: 'INFER_DEADLINE' });
  await t.resolves(closed);
});

t.test('closing one handle leaves another of the same model alone', async t => {
  const one = await loadModel(fixture('affine.onnx'));
  const two = await loadModel(fixture('affine.onnx'));
  await one.close();
  t.ok((await two.predict({ x: four }))['y']);
  await t.rejects(one.predict({ x: four }), { code: 'INFER_CLOSED' });
  await two.close();
});

t.test('a model can be loaded again after it was closed', async t => {
  for (let round = 0; round < 5; round++) {
    const model = await loadModel(fixture('affine.onnx'));
    t.ok((await model.predict({ x: four }))['y']);
    await model.close();
  }
});
