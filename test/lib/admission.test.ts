// SPDX-License-Identifier: Apache-2.0
// What a busy model refuses at once: by requests, rows and bytes, and what it says then.
import t, { type Test } from 'tap';
import { loadModel, type Model } from '../../lib/index.js';
import { failure, fixture, until } from '../helpers.js';

const endless = BigInt(2 ** 40);

/** Inputs of one row and 264 bytes that run for so many trips. */
function work(trips: bigint) {
  return { x: new Float32Array(64).fill(1), iterations: new BigInt64Array([trips]) };
}

interface Busy {
  readonly model: Model;
  readonly stop: () => Promise<void>;
}

/** A model of one lane, on which one request runs and two others wait. */
async function busy(t: Test, batching: object): Promise<Busy> {
  const model = await loadModel(fixture('spin.onnx'), { batching, placement: { lanes: 1 } });
  t.teardown(() => model.close());
  // One waits behind the other: that shows how fast the queue empties.
  await Promise.all(Array.from({ length: 2 }, () => model.predict(work(1000n))));
  const controller = new AbortController();
  const { signal } = controller;
  const calls = [model.predict(work(endless), { signal })];
  await until(() => model.stats().inFlight === 1);
  calls.push(model.predict(work(endless), { signal }), model.predict(work(endless), { signal }));
  await until(() => model.stats().queueDepth === 2);
  const stop = async () => {
    controller.abort();
    await Promise.allSettled(calls);
  };
  return { model, stop };
}

for (const [option, most] of [
  ['maxQueue', 2],
  ['maxQueueRows', 2],
  ['maxQueueBytes', 600],
] as const) {
  t.test(`batching.${option}`, async t => {
    const { model, stop } = await busy(t, { [option]: most });
    t.equal(model.info.batching[option], most);
    const refused = await failure(model.predict(work(1n)));
    t.equal(refused.code, 'INFER_QUEUE_FULL');
    t.match(refused.message, `(batching.${option})`);
    t.ok((refused.retryAfterMs ?? 0) > 0, `${refused.retryAfterMs} ms`);
    await stop();
    await t.resolves(model.predict(work(1n)), 'room again');
  });
}
