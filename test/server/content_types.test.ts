// SPDX-License-Identifier: Apache-2.0
// Bodies and answers of each content type through one server: CSV, JSON Lines, NPY, NPZ, and what is refused.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type ElementType, elementTypes, type ModelInfo } from '../../lib/index.js';
import { readTextBody, takesText } from '../../server/decode/files.js';
import { readNpy } from '../../server/decode/npy.js';
import { readNpz } from '../../server/decode/npz.js';
import { fixture, textOf } from '../helpers.js';
import { zipFile } from './array_files.js';
import { both, cases, floats, npy, npyOf, npz, refused, rows } from './content_cases.js';
import { call, digits, formOf, iris, startServer } from './helpers.js';

const numeric = (Object.keys(elementTypes) as ElementType[]).filter(type => type !== 'string');
const models = ['two_inputs', 'free_axes', 'scalar', 'squares', 'wide_output'];
const identities = [...numeric, 'string'].map(type => `identity_${type}`);
const server = await startServer({
  models: [iris, digits, ...[...models, ...identities].map(name => fixture(`${name}.onnx`))],
  args: ['--max-request-bytes', '2000000', '--max-response-bytes', '1000000'],
});
t.teardown(server.stop);

interface Sent {
  readonly type?: string;
  readonly accept?: string;
  readonly body: string | Buffer;
}

function send(model: string, { type, accept, body }: Sent) {
  const contentType = type === undefined ? {} : { 'content-type': type };
  const headers = { ...contentType, ...(accept === undefined ? {} : { accept }) };
  return call(`${server.inference}/predictions/${model}`, { method: 'POST', headers, body });
}

/** NumPy's names of the types that it has. */
const descriptions: Readonly<Record<string, string>> = {
  float32: '<f4',
  float64: '<f8',
  float16: '<f2',
  bool: '|b1',
  int8: '|i1',
  int16: '<i2',
  int32: '<i4',
  int64: '<i8',
  uint8: '|u1',
  uint16: '<u2',
  uint32: '<u4',
  uint64: '<u8',
};

t.test('every element type comes back as the same NPY file', async t => {
  t.equal(Object.keys(descriptions).length, 12);
  for (const [type, descr] of Object.entries(descriptions)) {
    const bytes = Number(descr.slice(2));
    const elements = new Uint8Array(4 * bytes).map((_, at) =>
      type === 'bool' ? at % 2 : at * 37 + 1,
    );
    const file = npyOf(descr, '(2, 2)', elements);
    const npy = 'application/x-npy';
    const { status, headers, body } = await send(`identity_${type}`, {
      type: npy,
      accept: npy,
      body: file,
    });
    t.equal(status, 200, body.toString());
    t.equal(headers['content-type'], npy);
    t.ok(body.equals(file), type);
  }
});

t.test('a body of one type is answered in another', async t => {
  for (const { model, gives, ...sent } of cases) {
    const { status, text, headers } = await send(model, sent);
    const name = `${JSON.stringify({ ...sent, body: undefined })} for ${model}`;
    t.equal(status, 200, `${name}: ${text}`);
    t.equal(text, gives, name);
    const accepted = 'accept' in sent ? sent.accept.split(', ').at(-1) : 'application/json';
    t.equal(headers['content-type'], accepted, name);
  }
});

t.test('what NumPy wrote for a sparse matrix is a body', async t => {
  const { archives } = JSON.parse(textOf('test', 'fixtures', 'npy.json'));
  for (const name of ['csr', 'csc', 'coo']) {
    const { text } = await send('free_axes', {
      type: npz,
      body: Buffer.from(archives[name], 'base64'),
    });
    t.match(text, /^\{"doubled":\[\[2,0,5\],\[0,0,6\]\],"mean":\[1\.16/, name);
  }
});

t.test('NPZ holds all outputs by name', async t => {
  const { body, headers } = await send('two_inputs', {
    type: npz,
    accept: npz,
    body: zipFile(both),
  });
  t.equal(headers['content-type'], npz);
  const arrays = await readNpz(body, 10_000);
  t.same([...arrays.keys()], ['sum', 'scaled']);
  t.match(arrays.get('sum'), { type: 'float32', shape: [1, 1], data: { 0: 63 } });
  t.match(arrays.get('scaled'), { shape: [1, 2], data: { 0: 2, 1: 4 } });
});

t.test('an image is answered by classes, or by the scores as an array', async t => {
  const body = readFileSync(join(digits, 'samples', '7.png'));
  const plain = await send('digits', { type: 'image/png', accept: 'application/json', body });
  t.equal(JSON.parse(plain.text)[0].class, '7');
  const scores = readNpy(
    (await send('digits', { type: 'image/png', accept: npy, body })).body,
    'answer',
  );
  t.same(scores.shape, [1, 10]);
  const best = [...scores.data]
    .map(Number)
    .reduce((most, value, at, all) => (value > (all[most] ?? 0) ? at : most), 0);
  t.equal(best, 7);
  const line = await send('digits', { type: 'image/png', accept: 'text/csv', body });
  t.equal(line.text.split(',').length, 10);
});

t.test('a part of a form may be of any of the types', async t => {
  for (const [type, part] of [
    ['text/csv', '1,2.5\n-3,4'],
    [npy, floats],
    ['application/jsonlines', '[1,2.5]\n[-3,4]'],
  ] as const) {
    const { text } = await call(`${server.inference}/predictions/identity_float32`, {
      body: formOf('data', Buffer.from(part), type),
    });
    t.equal(text, type === 'application/jsonlines' ? `{"predictions":${rows}}` : rows, type);
  }
});

t.test('a large body is read off the event loop and answered like a small one', async t => {
  const line = '1.5,-2\n';
  const csv = line.repeat(30_000);
  const answer = await send('identity_float32', {
    type: 'text/csv',
    accept: 'text/csv',
    body: csv,
  });
  t.equal(answer.text, csv);
  const lines = '{"x":[1.5,-2]}\n'.repeat(10_000);
  const { text } = await send('identity_float32', {
    type: 'application/jsonlines',
    accept: 'text/csv',
    body: lines,
  });
  t.equal(text, line.repeat(10_000));
  const numbers = Float64Array.from({ length: 100_000 }, (_, at) => at);
  const cast = await send('identity_float32', {
    type: npy,
    accept: npy,
    body: npyOf('<f8', '(50000, 2)', numbers),
  });
  t.same(readNpy(cast.body, 'answer').data, Float32Array.from(numbers));
});

t.test('what cannot be read or answered is refused in words', async t => {
  for (const { model, status, says, ...sent } of refused) {
    const reply = await send(model, sent);
    t.equal(reply.status, status, reply.text);
    t.match(JSON.parse(reply.text).message, says);
    t.equal(reply.headers['content-type'], 'application/json');
  }
});

t.test('a text is the whole input of a model that takes one', async t => {
  const info = (shape: readonly number[]) => {
    const inputs = [{ name: 'text', type: 'string', shape }];
    return { name: 'm', signature: { inputs, outputs: [] } } as unknown as ModelInfo;
  };
  const body = Buffer.from('say "hi"\n');
  t.same(readTextBody(body, info([-1, 1])), { text: { shape: [1, 1], data: ['say "hi"\n'] } });
  t.throws(() => readTextBody(Buffer.from([255]), info([-1])), {
    message: /^body: expected UTF-8 for "text"/,
  });
  t.same(
    [[-1], [], [-1, -1], [2], [-1, 3]].map(shape => takesText(info(shape))),
    [true, true, true, false, false],
  );
});
