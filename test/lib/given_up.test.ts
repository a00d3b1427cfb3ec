// SPDX-License-Identifier: Apache-2.0
// JSON bodies that nobody waits for any more while they wait for a reader: nobody reads them.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';
import { loadModel } from '../../lib/index.js';
import { failure, fixture } from '../helpers.js';

// On one core there is one lane, so that one thread reads all bodies, one after the other.
const [core = '0'] =
  /Cpus_allowed_list:\t(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.slice(1) ?? [];
execFileSync('taskset', ['-cp', core, `${process.pid}`]);

/** So many rows of two numbers as text. */
function rowsOf(rows: number): Buffer {
  return Buffer.from(`[${Array(rows).fill('[1.234567,0.5]').join()}]`);
}

t.test('bodies that are given up cost less than those that are read', async t => {
  // Each is refused once it has been read, so that nothing but reading costs much.
  const model = await loadModel(fixture('identity_float32.onnx'), {
    limits: { maxRows: 1 },
    batching: { maxQueueBytes: 1e9 },
  });
  t.teardown(() => model.close());
  const bodies = [rowsOf(600_000), ...Array(30).fill(rowsOf(200_000))];
  const codeOf = async (call: Promise<unknown>) => (await failure(call)).code;
  /** CPU time of this process for one body behind all these, or behind as many that are given up. */
  const costOf = async (giveUp: boolean) => {
    const controller = new AbortController();
    const before = process.cpuUsage();
    const calls = bodies.map(body => model.predictJson(body, { signal: controller.signal }));
    if (giveUp) controller.abort();
    const codes = await Promise.all([...calls, model.predictJson(rowsOf(20_000))].map(codeOf));
    const { user, system } = process.cpuUsage(before);
    t.equal(codes.pop(), 'INFER_BAD_INPUT');
    t.ok(codes.every(code => code === (giveUp ? 'INFER_CANCELLED' : 'INFER_BAD_INPUT')));
    return user + system;
  };
  await costOf(false);
  const read = await costOf(false);
  const givenUp = await costOf(true);
  t.ok(givenUp < (2 / 3) * read, `${givenUp} us of CPU time, ${read} us when they are read`);
});
