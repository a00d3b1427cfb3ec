// SPDX-License-Identifier: Apache-2.0
// Many calls in one turn of the event loop: what the queue does not take is refused before it is copied.
import t from 'tap';
import { loadModel } from '../../lib/index.js';
import { fixture } from '../helpers.js';

t.test('calls beyond the queue are refused at once and cost no memory', async t => {
  const model = await loadModel(fixture('identity_float32.onnx'), { batching: { maxQueue: 16 } });
  const x = { shape: [131_072, 2], data: new Float32Array(262_144) }; // 1 MB
  const before = process.memoryUsage.rss();
  const codes = Array.from({ length: 1000 }, () =>
    model.predict({ x }).then(
      () => 'answered',
      (error: { code: string }) => error.code,
    ),
  );
  const grown = process.memoryUsage.rss() - before;
  t.ok(grown < 500e6, `${Math.round(grown / 1e6)} MB more after 1000 calls of 1 MB in one turn`);
  const all = await Promise.all(codes);
  t.same([...new Set(all)].sort(), ['INFER_QUEUE_FULL', 'answered']);
  t.equal(model.stats().errors.INFER_QUEUE_FULL, all.filter(code => code !== 'answered').length);
  await model.close();
});
