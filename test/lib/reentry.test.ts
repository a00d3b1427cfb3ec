// SPDX-License-Identifier: Apache-2.0
// Code of the caller's that runs while its inputs are read: a getter or Proxy may do anything, also close the model.
import t from 'tap';
import { engineLibraries, loadBinding } from '../../lib/binding.js';
import { loadModel } from '../../lib/index.js';
import { defaults } from '../../lib/options.js';
import { failure, fixture } from '../helpers.js';

const file = fixture('identity_string.onnx');

/** An array of two strings, which calls `act` when the first one is read. */
function watched(act: () => void): string[] {
  const get = () => {
    act();
    return 'a';
  };
  return Object.defineProperty(['', 'b'], 0, { get });
}

t.test('an element is read once, so it cannot change after its check', async t => {
  const model = await loadModel(file);
  t.teardown(() => model.close());
  let reads = 0;
  const { y } = await model.predict({ x: watched(() => reads++) });
  t.same(y?.data, ['a', 'b']);
  t.equal(reads, 1);
});

t.test('an element that closes the model fails its own request', async t => {
  const model = await loadModel(file);
  let closing: Promise<void> | undefined;
  const x = watched(() => {
    closing = model.close();
  });
  t.equal((await failure(model.predict({ x }))).code, 'INFER_CLOSED');
  await closing;
});

t.test('the addon itself outlives such an element, too', async t => {
  const binding = loadBinding();
  const native = await binding.load({
    engine: 'onnxruntime',
    libraries: engineLibraries(undefined),
    file,
    name: 'text',
    ...defaults.batching,
    ...{
      maxBatch: 0,
      buckets: [],
      preferred: [],
      padding: [],
      lanes: 1,
      cores: [],
      threadsPerRun: 1,
      warmup: false,
      declared: [],
    },
  });
  let closing: Promise<void> | undefined;
  const x = watched(() => {
    closing = native.close();
  });
  t.throws(() => native.submit(1, [x], [2, 1, 2], 0), { code: 'INFER_CLOSED' });
  await closing;
});
