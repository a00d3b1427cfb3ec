// SPDX-License-Identifier: Apache-2.0
// Predictions in every JSON form, of every element type, and from images.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { fixture, textOf } from '../helpers.js';
import { call, copyModel, digits, formOf, iris, postJson, startServer } from './helpers.js';

const types = {
  float32: 'FP32',
  float64: 'FP64',
  float16: 'FP16',
  bfloat16: 'BF16',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  bool: 'BOOL',
  string: 'BYTES',
} as const;
const fixtures = ['two_inputs', 'scalar', 'free_axes', 'affine', 'wide_output'];
const identities = Object.keys(types).map(type => `identity_${type}`);
const allDigits = await copyModel(digits, {
  name: 'all',
  postprocess: { probabilities: { labels: 'labels.txt', topK: 10 } },
});
const server = await startServer({
  models: [
    iris,
    digits,
    allDigits.folder,
    ...[...fixtures, ...identities].map(name => fixture(`${name}.onnx`)),
  ],
});
t.teardown(async () => {
  await server.stop();
  await allDigits.remove();
});

async function predict(model: string, body: unknown): Promise<unknown> {
  const { status, text, headers } = await postJson(
    `${server.inference}/predictions/${model}`,
    body,
  );
  if (status !== 200) throw new Error(text);
  t.equal(headers['content-type'], 'application/json');
  return JSON.parse(text);
}

function close(actual: unknown, expected: readonly number[], tolerance: number): boolean {
  if (!Array.isArray(actual) || actual.length !== expected.length) return false;
  return expected.every((value, index) => Math.abs(value - actual[index]) <= tolerance);
}

// Recorded from torch by tools/train_iris.py.
const reference = JSON.parse(textOf('test', 'fixtures', 'iris_heldout.json'));
const [features, probabilities, tolerance] = [
  reference.features,
  reference.probabilities,
  reference.tolerance,
];

t.test('no instances give no predictions, also with several inputs', async t => {
  for (const model of ['iris', 'two_inputs']) {
    t.same(await predict(model, { instances: [] }), { predictions: [] });
  }
});

t.test('a bare array gives a bare array, one entry per row', async t => {
  const rows = await predict('iris', features);
  if (!Array.isArray(rows)) throw new Error('no array');
  t.equal(rows.length, 30);
  for (const [index, row] of rows.entries()) {
    t.ok(close(row, probabilities[index], tolerance), `row ${index}`);
  }
});

t.test('instances give predictions, as values and as objects', async t => {
  for (const instances of [features, features.map((row: number[]) => ({ features: row }))]) {
    const body = await predict('iris', { instances });
    const { predictions } = body as { predictions: number[][] };
    t.equal(predictions.length, 30);
    for (const [index, row] of predictions.entries()) {
      t.ok(close(row, probabilities[index], tolerance));
    }
  }
});

t.test('a V2 request is answered in kind', async t => {
  const input = { name: 'features', datatype: 'FP32', shape: [30, 4], data: features.flat() };
  const body = await predict('iris', {
    id: 'a1',
    inputs: [input],
    outputs: [{ name: 'probabilities' }],
  });
  const { outputs, ...rest } = body as { outputs: { data: number[] }[] };
  t.same(rest, { model_name: 'iris', model_version: '1', id: 'a1' });
  const [output] = outputs;
  t.match(output, { name: 'probabilities', datatype: 'FP32', shape: [30, 3] });
  t.ok(close(output?.data, probabilities.flat(), tolerance));
});

t.test('V2 data may be nested like its shape', async t => {
  const input = { name: 'features', datatype: 'FP32', shape: [2, 4] };
  const flat = await predict('iris', { inputs: [{ ...input, data: features.slice(0, 2).flat() }] });
  t.same(await predict('iris', { inputs: [{ ...input, data: features.slice(0, 2) }] }), flat);
  t.notOk(Object.hasOwn(flat as object, 'id'), 'no id is made up');
});

t.test('several inputs and outputs go by name, and only what was asked for comes', async t => {
  const inputs = [
    { name: 'b', datatype: 'INT64', shape: [1, 3], data: [10, 20, 30] },
    { name: 'a', datatype: 'FP32', shape: [1, 2], data: [1, 2] },
  ];
  const sum = { name: 'sum', datatype: 'FP32', shape: [1, 1], data: [63] };
  const scaled = { name: 'scaled', datatype: 'FP32', shape: [1, 2], data: [2, 4] };
  const outputsOf = async (outputs: unknown) =>
    ((await predict('two_inputs', { inputs, outputs })) as { outputs: unknown }).outputs;
  t.same(await outputsOf(undefined), [sum, scaled]);
  t.same(await outputsOf([{ name: 'scaled' }]), [scaled]);
  t.same(await outputsOf([{ name: 'scaled' }, { name: 'sum' }]), [scaled, sum]);
  const instances = [
    { a: [1, 2], b: [10, 20, 30] },
    { b: [1, 1, 1], a: [0.5, 0] },
  ];
  t.same(await predict('two_inputs', { instances }), {
    predictions: [
      { sum: [63], scaled: [2, 4] },
      { sum: [3.5], scaled: [1, 0] },
    ],
  });
});

t.test('models without a batch axis and with free axes take their shapes', async t => {
  t.same(
    await predict('scalar', { inputs: [{ name: 'x', datatype: 'FP32', shape: [], data: [3] }] }),
    {
      model_name: 'scalar',
      model_version: '1',
      outputs: [{ name: 'y', datatype: 'FP32', shape: [], data: [6] }],
    },
  );
  t.same(
    await predict('free_axes', [
      [1, 2, 3],
      [4, 5, 6],
    ]),
    [
      [2, 4, 6],
      [8, 10, 12],
    ],
  );
  t.same(await predict('free_axes', { instances: [[1, 3]] }), {
    predictions: [{ doubled: [2, 6], mean: 2 }],
  });
  t.same(await predict('affine', []), [], 'no rows give no rows');
});

/** What JSON carries of an element of expected.json. */
const samples: Readonly<Record<keyof typeof types, readonly unknown[]>> = {
  float32: [1.5, -0, 3.4028235e38, 1e-45, 0.1, 16777216],
  float64: [1.5, -0, 1.7976931348623157e308, 5e-324, 0.1, 2 ** 53],
  float16: [1, -1, 65504, 0.33325195, 0, 2],
  bfloat16: [1, -1, 3.3895314e38, 0.33398438, 0, 2],
  int8: [0, 1, -1, 42, -128, 127],
  int16: [0, 1, -1, 42, -32768, 32767],
  int32: [0, 1, -1, 42, -2147483648, 2147483647],
  int64: [0, 1, -1, 42, -9007199254740991, 9007199254740991],
  uint8: [0, 1, 2, 42, 128, 255],
  uint16: [0, 1, 2, 42, 32768, 65535],
  uint32: [0, 1, 2, 42, 2147483648, 4294967295],
  uint64: [0, 1, 2, 42, 9007199254740990, 9007199254740991],
  bool: [true, false, true, true, false, false],
  string: ['', 'a"b', '\u00e4\u{1f600}', 'nul\u0000nul', 'null', ' '],
};

for (const type of Object.keys(types) as (keyof typeof types)[]) {
  t.test(`${types[type]} comes back as it went`, async t => {
    const data = samples[type];
    const input = { name: 'x', datatype: types[type], shape: [3, 2], data };
    const body = await predict(`identity_${type}`, { inputs: [input] });
    t.same((body as { outputs: unknown }).outputs, [{ ...input, name: 'y' }]);
  });
}

t.test('an answer of 8 MB arrives whole', async t => {
  const rows = await predict('wide_output', [[0.1], [1 / 3]]);
  if (!Array.isArray(rows)) throw new Error('no array');
  t.same(
    rows.map(row => row.length),
    [262144, 262144],
  );
  t.ok(rows[0].every((value: number) => value === 0.1));
  t.ok(rows[1].every((value: number) => value === 0.33333334));
});

interface Class {
  readonly class: string;
  readonly probability: number;
}

async function classify(model: string, options: Parameters<typeof call>[1]): Promise<Class[]> {
  const { status, text } = await call(`${server.inference}/predictions/${model}`, options);
  if (status !== 200) throw new Error(text);
  return JSON.parse(text);
}

for (let digit = 0; digit < 10; digit++) {
  t.test(`the sample of ${digit} is a ${digit}`, async t => {
    const png = readFileSync(join(digits, 'samples', `${digit}.png`));
    const inForm = await classify('digits', { body: formOf('data', png, 'image/png') });
    t.equal(inForm.length, 5);
    t.equal(inForm[0]?.class, String(digit));
    t.ok((inForm[0]?.probability ?? 0) > 0.9, `${inForm[0]?.probability}`);
    t.same(Object.keys(inForm[0] ?? {}), ['class', 'probability']);
    t.same(
      inForm,
      [...inForm].sort((a, b) => b.probability - a.probability),
      'best first',
    );
    for (const type of ['image/png', 'application/octet-stream']) {
      t.same(
        await classify('digits', { headers: { 'content-type': type }, body: png }),
        inForm,
        type,
      );
    }
    t.same(await classify('digits', { body: png }), inForm, 'without a type');
    for (const name of ['body', 'image'])
      t.same(await classify('digits', { body: formOf(name, png) }), inForm, name);
  });
}

t.test('a form may carry JSON', async t => {
  const file = Buffer.from('[[5.1,3.5,1.4,0.2]]');
  const { text } = await call(`${server.inference}/predictions/iris`, {
    body: formOf('data', file, 'application/json'),
  });
  t.match(text, /^\[\[0\.999/);
});

/** The PNG that was measured: test/fixtures/README.md. */
function pngOf(pixels: Buffer): Promise<Buffer> {
  const large = Buffer.alloc(64 * 64);
  for (let index = 0; index < large.length; index++) {
    const row = Math.floor(index / 512);
    const column = Math.floor((index % 64) / 8);
    large[index] = Math.round(((pixels[row * 8 + column] ?? 0) * 255) / 16);
  }
  return sharp(large, { raw: { width: 64, height: 64, channels: 1 } })
    .png()
    .toBuffer();
}

t.test(
  'all held-out digits come out as torch says, and as often right as the card says',
  async t => {
    const held = JSON.parse(textOf('test', 'fixtures', 'digits_heldout.json'));
    const images = Buffer.from(held.images, 'base64');
    const expected = new Float32Array(
      Uint8Array.from(Buffer.from(held.probabilities, 'base64')).buffer,
    );
    let right = 0;
    let worst = 0;
    for (const [index, label] of held.labels.entries()) {
      const png = await pngOf(images.subarray(index * 64, index * 64 + 64));
      const classes = await classify('all', {
        headers: { 'content-type': 'image/png' },
        body: png,
      });
      if (classes[0]?.class === String(label)) right++;
      for (const entry of classes) {
        const difference = Math.abs(
          entry.probability - (expected[index * 10 + Number(entry.class)] ?? Number.NaN),
        );
        worst = Math.max(worst, difference);
      }
      if (classes.length !== 10) t.fail(`${classes.length} classes`);
    }
    t.ok(worst <= held.tolerance, `largest difference ${worst}`);
    const count = held.labels.length;
    t.equal(count, 360);
    t.equal(right / count, held.accuracy);
    const [, accuracy, of, all] =
      /Held-out accuracy: ([\d.]+) \((\d+) of (\d+)\)/.exec(
        textOf('models', 'digits', 'README.md'),
      ) ?? [];
    t.same([Number(of), Number(all)], [right, count], 'the card');
    t.equal((right / count).toFixed(3), accuracy);
  },
);
