// SPDX-License-Identifier: Apache-2.0
// stats(): the counters add up to what was asked.
import t from 'tap';
import { type Histogram, loadModel } from '../../lib/index.js';
import { fixture } from '../helpers.js';

function checkHistogram(
  t: { ok: (value: boolean, name: string) => unknown },
  name: string,
  histogram: Histogram,
) {
  const { buckets, count, sum } = histogram;
  t.ok(buckets.length > 1, `${name}: has buckets`);
  t.ok(
    buckets.at(-1)?.le === Number.POSITIVE_INFINITY,
    `${name}: the last bucket takes everything`,
  );
  t.ok(buckets.at(-1)?.count === count, `${name}: the last bucket counts everything`);
  const rising = buckets.every((bucket, index) => {
    const before = buckets[index - 1] ?? { le: Number.NEGATIVE_INFINITY, count: 0 };
    return bucket.le > before.le && bucket.count >= before.count;
  });
  t.ok(rising, `${name}: bounds rise and counts are cumulative`);
  t.ok(sum >= 0 && Number.isFinite(sum), `${name}: has a sum`);
}

t.test('a new model has counted nothing', async t => {
  const model = await loadModel(fixture('affine.onnx'), { name: 'new' });
  t.teardown(() => model.close());
  t.match(model.stats(), {
    requests: 0,
    completed: 0,
    queueDepth: 0,
    inFlight: 0,
    batches: 0,
    rows: 0,
    paddedRows: 0,
    meanBatch: 0,
    hungRuns: 0,
  });
  t.same(model.stats().errors, {});
});

t.test('requests, rows and batches are counted', async t => {
  const model = await loadModel(fixture('affine.onnx'), {
    name: 'counted',
    placement: { lanes: 1 },
  });
  t.teardown(() => model.close());
  const calls = Array.from({ length: 64 }, (_, index) =>
    model.predict({ x: new Float32Array(4 * (1 + (index % 3))) }),
  );
  await Promise.all(calls);
  const rows = calls.reduce((sum, _, index) => sum + 1 + (index % 3), 0);
  const stats = model.stats();
  t.match(stats, { requests: 64, completed: 64, queueDepth: 0, inFlight: 0, rows });
  t.same(stats.errors, {});
  t.ok(stats.batches < 64, `64 requests shared ${stats.batches} runs`);
  t.equal(stats.meanBatch, rows / stats.batches);
  t.equal(stats.queueSeconds.count, 64);
  t.equal(stats.runSeconds.count, stats.batches);
  t.equal(stats.batchRows.count, stats.batches);
  t.equal(stats.batchRows.sum, rows);
  t.ok(stats.runSeconds.sum > 0 && stats.runSeconds.sum < 60, 'seconds');
  for (const name of [
    'queueSeconds',
    'runSeconds',
    'parseSeconds',
    'formatSeconds',
    'batchRows',
  ] as const) {
    checkHistogram(t, name, stats[name]);
  }
});

t.test('failures are counted by code, refusals before the queue are not', async t => {
  const model = await loadModel(fixture('gather.onnx'));
  t.teardown(() => model.close());
  await t.rejects(model.predict({ index: new BigInt64Array([9n]) }), {
    code: 'INFER_ENGINE_FAILED',
  });
  await t.rejects(model.predict({ index: new Float32Array(1) }), { code: 'INFER_BAD_INPUT' });
  await t.resolves(model.predict({ index: new BigInt64Array([1n]) }));
  const { requests, completed, errors } = model.stats();
  t.same(
    { requests, completed, errors },
    { requests: 2, completed: 1, errors: { INFER_ENGINE_FAILED: 1 } },
  );
});
