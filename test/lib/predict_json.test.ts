// SPDX-License-Identifier: Apache-2.0
// predictJson(): bytes in, bytes out, options, large bodies, and what goes wrong on the way.
import t from 'tap';
import { InferenceError, type JsonAnswer, loadModel } from '../../lib/index.js';
import { failure, fixture } from '../helpers.js';

const floats = await loadModel(fixture('identity_float32.onnx'));
const strings = await loadModel(fixture('identity_string.onnx'));
const integers = await loadModel(fixture('identity_int64.onnx'));
t.teardown(() => Promise.all([floats, strings, integers].map(model => model.close())));

function textOf({ body }: JsonAnswer): string {
  return typeof body === 'string' ? body : body.toString();
}

/** A body of the only input, [rows, 2]; from 16,000 rows on it is too large to be read on this thread. */
function rowsOf(rows: number): Buffer {
  return Buffer.from(JSON.stringify(Array.from({ length: rows }, (_, row) => [row, 0.5])));
}
const large = 20_000;

t.test('a short answer of ASCII is a string, any other a Buffer', async t => {
  t.equal((await floats.predictJson(Buffer.from('[[1.5,2]]'))).body, '[[1.5,2]]');
  const long = await floats.predictJson(rowsOf(3000));
  t.ok(Buffer.isBuffer(long.body));
  t.same(JSON.parse(textOf(long)), JSON.parse(rowsOf(3000).toString()));
  const accents = await strings.predictJson(Buffer.from('[["\u00e4","b"]]'));
  t.ok(Buffer.isBuffer(accents.body));
  t.equal(textOf(accents), '[["\u00e4","b"]]');
});

t.test('64-bit integers keep every digit', async t => {
  const text = '[[9007199254740993,-9223372036854775808]]';
  t.equal(textOf(await integers.predictJson(Buffer.from(text))), text);
});

t.test('a body may be reused at once, also a large one', async t => {
  for (const rows of [1, large]) {
    const body = rowsOf(rows);
    const expected = body.toString();
    const answer = floats.predictJson(body);
    body.fill(0);
    t.equal(textOf(await answer), expected);
  }
});

t.test('a view of a larger buffer is read within its bounds', async t => {
  const whole = Buffer.from('[[1,2]][[3,4]]nonsense');
  t.equal(
    textOf(await floats.predictJson(new Uint8Array(whole.buffer, whole.byteOffset + 7, 7))),
    '[[3,4]]',
  );
});

t.test('large bodies are answered like small ones, many at a time', async t => {
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, index) => floats.predictJson(rowsOf(large + index))),
  );
  for (const [index, answer] of answers.entries()) {
    t.equal(textOf(answer), rowsOf(large + index).toString());
  }
});

for (const [size, padding] of [
  ['small', ''],
  ['large', ' '.repeat(100_000)],
] as const) {
  t.test(`what is wrong with a ${size} body is a rejection with the caller's stack`, async t => {
    const error = await failure(floats.predictJson(Buffer.from(`${padding}[[1,"x"]]`)));
    t.match(error, { code: 'INFER_BAD_INPUT', message: /^body\[0\]\[1\]: expected a finite/ });
    t.match(error.stack, /predict_json\.test/);
  });

  t.test(`close() waits for a ${size} body`, async t => {
    const model = await loadModel(fixture('identity_float32.onnx'), { name: `closed ${size}` });
    const answer = model.predictJson(Buffer.from(`${padding}[[1,2]]`));
    await model.close();
    t.equal(textOf(await answer), '[[1,2]]');
    t.match(await failure(model.predictJson(Buffer.from('[[1,2]]'))), { code: 'INFER_CLOSED' });
  });
}

t.test('a body that is aborted while it is read is cancelled', async t => {
  const controller = new AbortController();
  const answer = failure(floats.predictJson(rowsOf(large), { signal: controller.signal }));
  controller.abort(new Error('gone'));
  t.match(await answer, { code: 'INFER_CANCELLED', cause: { message: 'gone' } });
  t.equal(textOf(await floats.predictJson(Buffer.from('[[1,2]]'))), '[[1,2]]', 'the next one');
});

t.test('an answer says where its time went when it is asked', async t => {
  const [timed, plain] = await Promise.all([
    floats.predictJson(rowsOf(500), { timing: true }),
    floats.predictJson(rowsOf(500)),
  ]);
  t.equal(plain.timing, undefined);
  const { parseUs, queueUs, runUs, formatUs } = timed.timing ?? {};
  for (const part of [parseUs, runUs, formatUs]) t.ok((part ?? 0) > 0, `${part}`);
  t.ok((queueUs ?? -1) >= 0, `${queueUs}`);
});

t.test('reading and writing are counted for JSON only', async t => {
  const model = await loadModel(fixture('identity_float32.onnx'), { name: 'counted' });
  t.teardown(() => model.close());
  const before = model.stats();
  await model.predict({ x: new Float32Array(2) });
  await model.predictJson(Buffer.from('[[1,2]]'));
  await failure(model.predictJson(Buffer.from('[[1]]')));
  const { parseSeconds, formatSeconds } = model.stats();
  t.equal(parseSeconds.count - before.parseSeconds.count, 1);
  t.equal(formatSeconds.count - before.formatSeconds.count, 1);
});

t.test('options of the model hold for JSON as well', async t => {
  const model = await loadModel(fixture('identity_float32.onnx'), {
    name: 'narrow',
    limits: { maxRows: 2 },
  });
  t.teardown(() => model.close());
  const error = await failure(model.predictJson(rowsOf(3)));
  t.equal(error.message, 'input "x": expected at most 2 rows (limits.maxRows), got 3 rows');
  const v2 = `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2]}]}`;
  t.match(JSON.parse(textOf(await model.predictJson(Buffer.from(v2)))), { model_name: 'narrow' });
});

t.test('an answer over maxResponseBytes is refused, and only that', async t => {
  const [small, refused] = await Promise.all([
    floats.predictJson(rowsOf(4), { maxResponseBytes: 96 }),
    failure(floats.predictJson(rowsOf(4), { maxResponseBytes: 95 })),
  ]);
  t.equal(textOf(small), rowsOf(4).toString());
  t.match(refused, { code: 'INFER_BAD_INPUT', message: /at most 95 bytes \(maxResponseBytes\)/ });
});

t.test('only the forms that are asked for are taken', async t => {
  const body = Buffer.from('[[1,2]]');
  await t.resolves(floats.predictJson(body, { forms: ['v2', 'array'] }));
  const error = await failure(floats.predictJson(body, { forms: ['instances'] }));
  t.equal(error.message, 'body: expected {"instances": [...]}, got an array of 1');
});

const wrong: readonly {
  readonly name: string;
  readonly call: readonly unknown[];
  readonly says: RegExp;
}[] = [
  { name: 'a string', call: ['[[1,2]]'], says: /^body: expected a Uint8Array, got "\[\[1,2\]\]"$/ },
  {
    name: 'a Float32Array',
    call: [new Float32Array(1)],
    says: /^body: expected a Uint8Array, got Float32/,
  },
  { name: 'nothing', call: [], says: /^body: expected a Uint8Array, got undefined$/ },
  { name: 'no bytes', call: [new Uint8Array()], says: /^body: expected JSON, got no bytes$/ },
  {
    name: 'an unknown option',
    call: [rowsOf(1), { form: 'v2' }],
    says: /^options: expected only .*"timing", got "form"$/,
  },
  {
    name: 'an unknown form',
    call: [rowsOf(1), { forms: ['v1'] }],
    says: /^option "forms": expected an array of one or more of "v2", .*, got "v1"$/,
  },
  {
    name: 'no form at all',
    call: [rowsOf(1), { forms: [] }],
    says: /^option "forms": expected an array of one or more of .*, got Array of 0$/,
  },
  {
    name: 'forms that are no array',
    call: [rowsOf(1), { forms: 'v2' }],
    says: /^option "forms": .*, got "v2"$/,
  },
  {
    name: 'a negative limit',
    call: [rowsOf(1), { maxResponseBytes: -1 }],
    says: /^option "maxResponseBytes": .*, got -1$/,
  },
  {
    name: 'timing that is no boolean',
    call: [rowsOf(1), { timing: 1 }],
    says: /^option "timing": .*, got 1$/,
  },
  {
    name: 'a deadline of zero',
    call: [rowsOf(1), { timeoutMs: 0 }],
    says: /^option "timeoutMs": .*, got 0$/,
  },
];

for (const { name, call, says } of wrong) {
  t.test(`${name} is refused`, async t => {
    const predictJson = floats.predictJson as (...args: readonly unknown[]) => Promise<unknown>;
    const error = await failure(predictJson(...call));
    t.ok(error instanceof InferenceError);
    t.equal(error.code, 'INFER_BAD_INPUT');
    t.match(error.message, says);
  });
}
