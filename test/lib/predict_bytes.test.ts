// SPDX-License-Identifier: Apache-2.0
// predictBytes(): bodies and answers in each format, tensors in place of a body, and what is refused.
import t from 'tap';
import { type BytesOptions, type JsonAnswer, loadModel } from '../../lib/index.js';
import { failure, fixture } from '../helpers.js';

const floats = await loadModel(fixture('identity_float32.onnx'));
const two = await loadModel(fixture('two_inputs.onnx'));
t.teardown(() => Promise.all([floats, two].map(model => model.close())));

function textOf({ body }: JsonAnswer): string {
  return typeof body === 'string' ? body : body.toString();
}

const bodies = { json: '[[1,2],[3,4]]', jsonlines: '[1,2]\n[3,4]\n', csv: '1,2\n3,4\n' } as const;

t.test('each format of a body is answered in each format of text', async t => {
  for (const from of ['json', 'jsonlines', 'csv'] as const) {
    for (const to of ['json', 'jsonlines', 'csv'] as const) {
      const answer = textOf(await floats.predictBytes(Buffer.from(bodies[from]), { from, to }));
      const inRows = from === 'jsonlines' && to === 'json';
      t.equal(answer, inRows ? `{"predictions":${bodies.json}}` : bodies[to], `${from} to ${to}`);
    }
  }
});

t.test('tensors are answered in each format', async t => {
  const inputs = { a: Float32Array.of(1, 2), b: BigInt64Array.of(1n, 2n, 3n) };
  const answer = async (options: BytesOptions) => textOf(await two.predictBytes(inputs, options));
  t.equal(await answer({}), '{"sum":[[9]],"scaled":[[2,4]]}');
  t.equal(await answer({ to: 'jsonlines' }), '{"sum":[9],"scaled":[2,4]}\n');
  t.equal(await answer({ to: 'csv' }), '9\n');
  t.match(await answer({ to: 'npy' }), /NUMPY/);
  t.match(await answer({ to: 'npz' }), /^PK/);
});

t.test('timing, signals and limits hold as for JSON', async t => {
  const body = Buffer.from('1,2\n');
  const { timing } = await floats.predictBytes(body, { from: 'csv', timing: true });
  t.ok((timing?.parseUs ?? 0) > 0 && (timing?.formatUs ?? 0) > 0);
  const tensors = await floats.predictBytes({ x: new Float32Array(2) }, { timing: true });
  t.ok((tensors.timing?.formatUs ?? 0) > 0);
  const small = floats.predictBytes(body, { from: 'csv', to: 'npy', maxResponseBytes: 10 });
  t.match(await failure(small), { code: 'INFER_BAD_INPUT', message: /at most 10 bytes/ });
  const signal = AbortSignal.abort();
  t.match(await failure(floats.predictBytes(body, { from: 'csv', signal })), {
    code: 'INFER_CANCELLED',
  });
});

t.test('what is wrong is a rejection that says so', async t => {
  const body = Buffer.from('1,2\n');
  const cases: readonly [Promise<unknown>, RegExp][] = [
    [
      floats.predictBytes(body, { from: 'xml' } as never),
      /^option "from": expected one of "json", "jsonlines", "csv", got "xml"$/,
    ],
    [
      floats.predictBytes(body, { to: 'png' } as never),
      /^option "to": expected one of "json", .*, got "png"$/,
    ],
    [
      floats.predictBytes({ x: new Float32Array(2) }, { from: 'csv' }),
      /^option "from": expected none beside tensors/,
    ],
    [floats.predictBytes(5 as never), /^inputs: expected an object with "x"/],
    [floats.predictBytes({ y: new Float32Array(2) }), /^input "x": missing/],
    [floats.predictJson(body, { to: 'csv' } as never), /^options: expected only /],
    [floats.predictJson({ x: new Float32Array(2) } as never), /^body: expected a Uint8Array/],
    [floats.predictBytes(Buffer.from('1,x\n'), { from: 'csv' }), /^line 1, column 2: /],
  ];
  for (const [promise, says] of cases) {
    const error = await failure(promise);
    t.match(error, { code: 'INFER_BAD_INPUT', message: says });
    t.match(error.stack, /predict_bytes\.test/);
  }
});
