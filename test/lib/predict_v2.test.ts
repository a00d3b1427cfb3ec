// SPDX-License-Identifier: Apache-2.0
// predictV2(): raw tensors in and out, its options, bodies that are read elsewhere, and timeouts of requests.
import t from 'tap';
import { loadModel, type V2Answer } from '../../lib/index.js';
import { failure, fixture } from '../helpers.js';

const floats = await loadModel(fixture('identity_float32.onnx'));
const spin = await loadModel(fixture('spin.onnx'));
t.teardown(() => Promise.all([floats, spin].map(model => model.close())));

/** @param more  members of the request beside its only input. */
function rawBody(values: Float32Array, more: object = {}) {
  const parameters = { binary_data_size: values.byteLength };
  const shape = [values.length / 2, 2];
  const input = { name: 'x', datatype: 'FP32', shape, parameters };
  const json = Buffer.from(JSON.stringify({ inputs: [input], ...more }));
  return { body: Buffer.concat([json, Buffer.from(values.buffer)]), headerBytes: json.length };
}

const raw = { parameters: { binary_data_output: true } };

function tensorOf({ body, headerBytes }: V2Answer): Float32Array {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'latin1') : Buffer.from(body);
  return new Float32Array(new Uint8Array(bytes.subarray(headerBytes ?? bytes.length)).buffer);
}

t.test('raw tensors of any size come back, and their buffer may be reused at once', async t => {
  for (const rows of [1, 3, 100_000]) {
    const values = new Float32Array(2 * rows).map((_, index) => index);
    const { body, headerBytes } = rawBody(values, raw);
    const answer = floats.predictV2(body, { headerBytes });
    body.fill(0);
    t.strictSame(tensorOf(await answer), values);
  }
});

t.test('JSON that is read on another thread has the same answer, beside raw ones', async t => {
  const data = Array.from({ length: 40_000 }, (_, index) => index);
  const large = JSON.stringify({
    inputs: [{ name: 'x', datatype: 'FP32', shape: [20_000, 2], data }],
    ...raw,
  });
  const small = rawBody(new Float32Array([1, 2]), raw);
  const answers = await Promise.all([
    floats.predictV2(Buffer.from(large)),
    floats.predictV2(small.body, { headerBytes: small.headerBytes, timing: true }),
    floats.predictV2(Buffer.from(large)),
  ]);
  t.strictSame([...tensorOf(answers[0])], data);
  t.strictSame([...tensorOf(answers[1])], [1, 2]);
  t.strictSame(answers[2].body, answers[0].body);
  t.ok((answers[1].timing?.runUs ?? 0) > 0, 'times where they were asked for');
  t.equal(answers[0].timing, undefined);
});

t.test('a timeout of the request ends it, and cannot prolong that of the call', async t => {
  const body = (timeout: number) =>
    Buffer.from(
      JSON.stringify({
        parameters: { timeout },
        inputs: [
          { name: 'x', datatype: 'FP32', shape: [1, 64], data: new Array(64).fill(1) },
          { name: 'iterations', datatype: 'INT64', shape: [], data: [1_000_000_000] },
        ],
      }),
    );
  t.match(await failure(spin.predictV2(body(20_000))), { code: 'INFER_DEADLINE' });
  const usual = spin.predictV2(body(4e15), { timeoutMs: 20 });
  t.match(await failure(usual), { code: 'INFER_DEADLINE' });
});

const request = Buffer.from('{}');
const wrong: readonly { readonly name: string; readonly options: object; readonly says: RegExp }[] =
  [
    {
      name: 'a length beyond the body',
      options: { headerBytes: 3 },
      says: /^option "headerBytes": expected an integer from 0 to 2, .*, got 3$/,
    },
    { name: 'a negative length', options: { headerBytes: -1 }, says: /from 0 to 2, .*, got -1$/ },
    { name: 'half a byte', options: { headerBytes: 0.5 }, says: /from 0 to 2, .*, got 0.5$/ },
    { name: 'a length as text', options: { headerBytes: '1' }, says: /from 0 to 2, .*, got "1"$/ },
    {
      name: 'an option of predictJson()',
      options: { forms: ['v2'] },
      says: /^options: expected only .*"headerBytes".*, got "forms"$/,
    },
    { name: 'no inputs', options: {}, says: /^inputs: expected an array of tensors, got nothing$/ },
  ];

for (const { name, options, says } of wrong) {
  t.test(`${name} is refused`, async t => {
    const error = await failure(floats.predictV2(request, options));
    t.match(error, { code: 'INFER_BAD_INPUT', message: says });
    t.match(error.stack, /predict_v2\.test/);
  });
}

t.test('a closed model refuses, and waits for what it has accepted', async t => {
  const model = await loadModel(fixture('identity_float32.onnx'), { name: 'closed V2' });
  const { body, headerBytes } = rawBody(new Float32Array([1, 2]), raw);
  const answer = model.predictV2(body, { headerBytes });
  await model.close();
  t.strictSame([...tensorOf(await answer)], [1, 2]);
  t.match(await failure(model.predictV2(body)), { code: 'INFER_CLOSED' });
});
