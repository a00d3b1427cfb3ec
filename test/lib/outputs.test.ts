// SPDX-License-Identifier: Apache-2.0
// What happens to outputs on their way to JS when they are unusual: as large as can be, or the input itself.
import { freemem } from 'node:os';
import t from 'tap';
import { loadModel } from '../../lib/index.js';
import { failure, fixture } from '../helpers.js';

t.setTimeout(180_000); // gigabytes of output take long where memory has to be freed first

t.test('an output that is an input keeps its values, small or large', async t => {
  const model = await loadModel(fixture('passthrough.onnx'));
  t.teardown(() => model.close());
  for (const rows of [1, 2 ** 18]) {
    const given = Float32Array.from({ length: rows * 2 }, (_, index) => index % 1000);
    const first = await model.predict({ x: given });
    const second = await model.predict({ x: new Float32Array(rows * 2).fill(7) });
    t.same(first['x']?.shape, [rows, 2]);
    t.ok(Buffer.from(given.buffer).equals(bytesOf(first['x']?.data)), 'x as it came');
    t.equal(first['y']?.data.at(-1), Number(given.at(-1)) + 1);
    t.ok(bytesOf(second['x']?.data).equals(bytesOf(new Float32Array(rows * 2).fill(7))), 'its own');
  }
});

function bytesOf(data: unknown): Buffer {
  return Buffer.from((data as Float32Array).buffer);
}

// Rows of wide_output.onnx have 1 MiB each; an ArrayBuffer of Node 20 holds 2^32 bytes (buffer.constants).
const most = 4096;
const needed = 2.5 * 2 ** 32;
// Newer Nodes know what the container leaves and what caches can give back; freemem() knows neither.
const { availableMemory = freemem } = process as { availableMemory?: () => number };
t.test(
  'an output beyond what an ArrayBuffer holds is refused, and the model goes on',
  { skip: availableMemory() < needed && `needs ${needed} bytes of free memory` },
  async t => {
    const model = await loadModel(fixture('wide_output.onnx'));
    t.teardown(() => model.close());
    const error = await failure(model.predict({ x: new Float32Array(most + 1) }));
    t.match(error, { code: 'INFER_ENGINE_FAILED', detail: 'output-too-large' });
    t.match(error.message, /shape \[4097, 262144\] has 4296015872 bytes.*at most 4294967296/);
    const { y } = await model.predict({ x: new Float32Array([3]) });
    t.equal(y?.data.at(-1), 3);
  },
);
