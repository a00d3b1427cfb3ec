// SPDX-License-Identifier: Apache-2.0
// The table of inputs that predict() refuses, for its tests.
import t from 'tap';
import { loadModel, type Model } from '../../lib/index.js';
import { failure, fixture } from '../helpers.js';

/** Inputs for a fixture, and what the message has to include. */
export interface Refusal {
  readonly name: string;
  readonly model: string;
  readonly inputs: unknown;
  readonly says: string;
}

/** The fixtures, each with inputs that are right. */
export const good: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'affine.onnx': { x: new Float32Array(4) },
  'two_inputs.onnx': { a: new Float32Array(2), b: new BigInt64Array(3) },
  'free_axes.onnx': { x: { shape: [2, 2], data: new Float32Array(4) } },
  'fixed_batch.onnx': { x: new Float32Array(6) },
  'scalar.onnx': { x: new Float32Array(1) },
  'identity_bool.onnx': { x: new Uint8Array([0, 1]) },
  'identity_string.onnx': { x: ['a', 'b'] },
  'identity_float16.onnx': { x: new Uint16Array(2) },
  'identity_int64.onnx': { x: new BigInt64Array(2) },
};

/** One test for each, and one that good requests still succeed afterwards. */
export function testRefusals(cases: readonly Refusal[]): void {
  const models = new Map<string, Model>();
  t.before(async () => {
    for (const name of Object.keys(good)) models.set(name, await loadModel(fixture(name)));
  });
  t.teardown(async () => {
    for (const model of models.values()) await model.close();
  });
  for (const { name, model, inputs, says } of cases) {
    t.test(`${name}: refused`, async t => {
      const loaded = models.get(model);
      if (loaded === undefined) return t.fail(`${model} is not loaded`);
      const error = await failure(loaded.predict(inputs as never));
      t.equal(error.code, 'INFER_BAD_INPUT');
      t.ok(error.message.includes(says), `${error.message}\n  should include\n${says}`);
      t.equal(loaded.stats().requests, 0, 'nothing reached the queue');
    });
  }
  t.test('the next good request of every model succeeds', async t => {
    for (const [name, model] of models) await t.resolves(model.predict(good[name] as never), name);
  });
}
