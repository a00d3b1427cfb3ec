// SPDX-License-Identifier: Apache-2.0
// Worker threads: ended in the middle of loads and runs, and sharing one loaded model.
import { once } from 'node:events';
import t from 'tap';
import { loadModel } from '../../lib/index.js';
import { fixture, until } from '../helpers.js';
import { startWorker, terminateWorkers } from './threads.js';
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
