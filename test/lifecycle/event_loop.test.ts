// SPDX-License-Identifier: Apache-2.0
// The event loop goes on while models run. How late a timer is on a quiet machine: bench/event-loop.ts.
import t from 'tap';
import { listDevices, loadModel } from '../../lib/index.js';
import { fixture } from '../helpers.js';
import { spinRow } from './spin.js';

t.test('timers fire many times while one prediction runs on every lane', async t => {
  const model = await loadModel(fixture('spin_batch.onnx'), { batching: { maxBatch: 1 } });
  t.teardown(() => model.close());
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const runs = Array.from({ length: listDevices().lanes }, () =>
    model.predict({ x: spinRow(300_000) }),
  );
  await Promise.all(runs);
  clearInterval(timer);
  const seconds = model.stats().runSeconds.sum / runs.length;
  t.comment(`${ticks} ticks during runs of ${seconds.toFixed(3)} s`);
  t.ok(seconds > 0.05, 'the runs were long');
  t.ok(ticks > 10, 'the event loop never waited for them');
});

t.test('predict() returns before the model runs', async t => {
  const model = await loadModel(fixture('spin_batch.onnx'));
  t.teardown(() => model.close());
  let turns = 0;
  let running = true;
  const answer = model.predict({ x: spinRow(100_000) }).finally(() => (running = false));
  while (running) {
    await new Promise(resolve => setImmediate(resolve));
    turns++;
  }
  await answer;
  t.ok(turns > 10, `the event loop turned ${turns} times meanwhile`);
});
