// SPDX-License-Identifier: Apache-2.0
// Worker threads: ended in the middle of loads and runs, and sharing one loaded model.
import { once } from 'node:events';
import t from 'tap';
import { loadModel } from '../../lib/index.js';
import { failure, fixture, until } from '../helpers.js';
import { spinRow } from './spin.js';
import { startTask, startWorker, terminateWorkers } from './threads.js';
import { rowsPerSharer } from './worker.js';

t.setTimeout(180_000); // a busy machine may take long to start so many threads

t.test('50 workers ended with work in flight disturb nobody', async t => {
  const { predictions, shared } = await terminateWorkers('flood', 50);
  t.ok(predictions >= 50, 'this thread was answered meanwhile');
  t.comment(`${predictions} right answers meanwhile`);
  await until(() => shared.stats().inFlight === 0);
  t.equal(shared.stats().queueDepth, 0, 'what the workers had queued is gone');
  await shared.close();
  const again = await loadModel(fixture('spin_batch.onnx'));
  t.equal(again.stats().requests, 0, 'the workers gave their shares back: this is a new model');
  await again.close();
});

t.test('10 workers ended during their loads disturb nobody', async t => {
  const { predictions, shared } = await terminateWorkers('load', 10);
  t.ok(predictions >= 10, 'this thread was answered meanwhile');
  await shared.close();
  const again = await loadModel(fixture('spin_batch.onnx'));
  t.equal(again.stats().requests, 0, 'the workers gave their shares back: this is a new model');
  await again.close();
});

t.test('20 workers ended while bodies of theirs are read disturb nobody', async t => {
  const { predictions, shared } = await terminateWorkers('read', 20);
  t.ok(predictions >= 20, 'this thread was answered meanwhile');
  await until(() => shared.stats().inFlight === 0);
  t.equal(shared.stats().queueDepth, 0);
  await shared.close();
  const again = await loadModel(fixture('spin_batch.onnx'));
  t.equal(again.stats().requests, 0, 'the workers gave their shares back: this is a new model');
  await again.close();
});

t.test('what a worker has read counts for all that share the model', async t => {
  const model = await loadModel(fixture('spin_batch.onnx'), { batching: { maxQueueBytes: 1000 } });
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const worker = startTask({ gate });
  await once(worker, 'message');
  t.equal((await failure(model.predict({ x: spinRow(2) }))).code, 'INFER_QUEUE_FULL');
  Atomics.store(gate, 0, 1);
  Atomics.notify(gate, 0);
  t.same(await once(worker, 'exit'), [0]);
  await t.resolves(model.predict({ x: spinRow(2) }), 'room once it is answered');
  await model.close();
});

t.test('workers that load the same file share one model and get their own answers', async t => {
  const model = await loadModel(fixture('spin_batch.onnx'));
  const before = model.stats().requests;
  const workers = [1, 2, 3, 4].map(mark => startWorker('share', mark));
  const right = await Promise.all(workers.map(worker => once(worker, 'message')));
  t.same(right, Array(4).fill([rowsPerSharer]), 'every worker got its own rows');
  t.equal(model.stats().requests - before, 4 * rowsPerSharer, 'one model counted them all');
  for (const worker of workers) worker.postMessage('enough');
  await Promise.all(workers.map(worker => once(worker, 'exit')));
  await model.close();
});

t.test('other options make another model of the same file', async t => {
  const [one, other] = await Promise.all([
    loadModel(fixture('affine.onnx')),
    loadModel(fixture('affine.onnx'), { batching: { maxBatch: 2 } }),
  ]);
  await one.predict({ x: new Float32Array(4) });
  t.equal(one.stats().requests, 1);
  t.equal(other.stats().requests, 0);
  await Promise.all([one.close(), other.close()]);
});
