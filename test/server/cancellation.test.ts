// SPDX-License-Identifier: Apache-2.0
// The server's own AbortSignal behaves as the library, and anybody else, expects of one.
import t from 'tap';
import { loadModel } from '../../lib/index.js';
import { abort, createCancellation } from '../../server/cancellation.js';
import { fixture } from '../helpers.js';

t.test('listeners are called once, and not after they were taken away', async t => {
  const signal = createCancellation();
  const calls: string[] = [];
  const gone = () => calls.push('gone');
  signal.addEventListener('abort', () => calls.push('function'));
  signal.addEventListener('abort', { handleEvent: event => calls.push(event.type) });
  signal.addEventListener('abort', gone);
  signal.addEventListener('abort', () => calls.push('last'));
  signal.removeEventListener('abort', gone);
  signal.onabort = () => calls.push('property');
  t.equal(signal.aborted, false);
  t.equal(signal.reason, undefined);
  signal.throwIfAborted();
  abort(signal);
  abort(signal);
  t.same(calls, ['property', 'function', 'abort', 'last']);
  t.equal(signal.aborted, true);
  t.throws(() => signal.throwIfAborted(), { name: 'AbortError' });
});

t.test('the order of listeners stays when the first goes', async t => {
  const signal = createCancellation();
  const calls: string[] = [];
  const first = () => calls.push('first');
  signal.addEventListener('abort', first);
  signal.addEventListener('abort', () => calls.push('second'));
  signal.addEventListener('abort', () => calls.push('third'));
  signal.removeEventListener('abort', first);
  signal.addEventListener('abort', () => calls.push('fourth'));
  abort(signal);
  t.same(calls, ['second', 'third', 'fourth']);
});

t.test('it takes a request out of the queue of a model', async t => {
  const model = await loadModel(fixture('spin.onnx'), { placement: { lanes: 1 } });
  const inputs = {
    x: { shape: [1, 64], data: new Float32Array(64) },
    iterations: BigInt64Array.of(60_000_000n),
  };
  const signal = createCancellation();
  const both = [model.predict(inputs, { signal }), model.predict(inputs, { signal })];
  const settled = Promise.allSettled(both);
  abort(signal);
  for (const result of await settled) {
    t.match(result, { status: 'rejected', reason: { code: 'INFER_CANCELLED' } });
  }
  await model.close();
});
