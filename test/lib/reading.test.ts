// SPDX-License-Identifier: Apache-2.0
// JSON bodies that are read on another thread: late, given up, too many at a time, in parts; and bodies that change.
import { Worker } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { type JsonAnswer, type LoadOptions, loadModel, type Model } from '../../lib/index.js';
import { failure, fixture } from '../helpers.js';

/** A model that gives rows of two numbers back, with counters of its own: `name` makes it so. */
async function identity(t: Test, name: string, options: LoadOptions = {}): Promise<Model> {
  const model = await loadModel(fixture('identity_float32.onnx'), { name, ...options });
  t.teardown(() => model.close());
  return model;
}

function textOf({ body }: JsonAnswer): string {
  return typeof body === 'string' ? body : body.toString();
}

/** So many rows as text; from 16,000 on it is too large to be read on this thread. */
function rowsOf(rows: number): Buffer {
  return Buffer.from(JSON.stringify(Array.from({ length: rows }, (_, row) => [row, 0.5])));
}
const large = rowsOf(20_000);

t.test('a body that is late before it is read is answered and counted', async t => {
  const model = await identity(t, 'late');
  const error = await failure(model.predictJson(large, { timeoutMs: 0.001 }));
  t.equal(error.code, 'INFER_DEADLINE');
  const { requests, errors } = model.stats();
  t.same({ requests, errors }, { requests: 0, errors: { INFER_DEADLINE: 1 } });
});

t.test('bodies that are given up or refused are counted', async t => {
  const model = await identity(t, 'counted');
  const controller = new AbortController();
  const gone = failure(model.predictJson(large, { signal: controller.signal }));
  controller.abort();
  t.equal((await gone).code, 'INFER_CANCELLED');
  for (const padding of ['', ' '.repeat(100_000)]) {
    await failure(model.predictJson(Buffer.from(`${padding}[[1]]`)));
  }
  t.same(model.stats().errors, { INFER_CANCELLED: 1, INFER_BAD_INPUT: 2 });
});

t.test('bodies that are being read count as what waits', async t => {
  const model = await identity(t, 'bounded', { batching: { maxQueueBytes: 1000 } });
  const first = model.predictJson(large);
  // Called before the first can be finished, which it may be after any await.
  const [refused, small] = await Promise.all([
    failure(model.predictJson(large)),
    failure(model.predict({ x: new Float32Array(2) })),
  ]);
  t.equal(refused.code, 'INFER_QUEUE_FULL');
  t.equal(
    refused.message,
    `the queue is full: 1 requests of 1 rows and ${large.length} bytes wait, expected at most 1000 bytes (batching.maxQueueBytes)`,
  );
  t.equal(small.code, 'INFER_QUEUE_FULL');
  t.equal(textOf(await first), large.toString());
  const controller = new AbortController();
  const gone = failure(model.predictJson(large, { signal: controller.signal }));
  controller.abort();
  await gone;
  await t.resolves(model.predict({ x: new Float32Array(2) }), 'room once nothing is read');
});

t.test('a body with more rows than a run takes is answered whole', async t => {
  const model = await identity(t, 'in parts', { batching: { maxBatch: 4 } });
  for (const body of [rowsOf(10), rowsOf(20_001)]) {
    t.equal(textOf(await model.predictJson(body)), body.toString());
  }
  t.ok(model.stats().batches >= 3 + 5001, `${model.stats().batches} runs`);
});

t.test('a body that another thread writes to is read as of one moment', async t => {
  const model = await loadModel(fixture('identity_string.onnx'));
  t.teardown(() => model.close());
  const memory = new Uint8Array(new SharedArrayBuffer(60_000)).fill(0x61);
  memory.set(Buffer.from('[["'));
  memory.set(Buffer.from('","b"]]'), memory.length - 7);
  const flips = `
    const { workerData, parentPort } = require('node:worker_threads');
    parentPort.postMessage('begun');
    const { bytes, at } = workerData;
    for (let turn = 0; ; turn++) {
      // Not UTF-8: a body that has it is refused. Each state lasts for some microseconds, as reading does.
      if (turn % 1000 === 0) Atomics.store(bytes, at, turn % 2000 === 0 ? 0xff : 0x61);
    }`;
  const worker = new Worker(flips, {
    eval: true,
    workerData: { bytes: memory, at: memory.length - 8 },
  });
  t.teardown(() => worker.terminate());
  await new Promise(resolve => worker.once('message', resolve));
  let answered = 0;
  for (let call = 0; call < 2000; call++) {
    const text = await model.predictJson(memory).then(textOf, error => {
      if (!/UTF-8/.test(error.message)) throw error;
    });
    if (text === undefined) continue;
    answered++;
    if (text.includes('\ufffd')) throw new Error('it was checked before it changed');
  }
  t.comment(`${answered} of 2000 were answered`);
});
