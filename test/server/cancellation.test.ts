// SPDX-License-Identifier: Apache-2.0
// The server's own AbortSignal behaves as the library, and anybody else, expects of one.
import t from 'tap';
import { loadModel } from '../../lib/index.js';
import { createCancellation } from '../../server/cancellation.js';
import { fixture } from '../helpers.js';

t.test('listeners are called once, and not after they were taken away', async t => {
  const { signal, abort } = createCancellation();
  const calls: string[] = [];
  const gone = () => calls.push('gone');
  signal.addEventListener('abort', () => calls.push('function'));
  signal.addEventListener('abort', { handleEvent: event => calls.push(event.type) });
  signal.addEventListener('abort', gone);
  signal.removeEventListener('abort', gone);
  signal.onabort = () => calls.push('property');
  t.equal(signal.aborted, false);
  t.equal(signal.reason, undefined);
  signal.throwIfAborted();
  abort();
  abort();
  t.same(calls, ['property', 'function', 'abort']);
  t.equal(signal.aborted, true);
  t.throws(() => signal.throwIfAborted(), { name: 'AbortError' });
});

t.test('it takes a request out of the queue of a model', async t => {
  const model = await loadModel(fixture('spin.onnx'), { placement: { lanes: 1 } });
  const inputs = {
    x: { shape: [1, 64], data: new Float32Array(64) },
    iterations: BigInt64Array.of(60_000_000n),
  };
  const { signal, abort } = createCancellation();
  const both = [model.predict(inputs, { signal }), model.predict(inputs, { signal })];
  const settled = Promise.allSettled(both);
  abort();
  for (const result of await settled) {
    t.match(result, { status: 'rejected', reason: { code: 'INFER_CANCELLED' } });
  }
  await model.close();
});
