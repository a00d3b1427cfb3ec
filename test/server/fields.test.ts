// SPDX-License-Identifier: Apache-2.0
// Fields of forms and queries as bytes: what comes out is what went in, whatever it is.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { loadModel } from '../../lib/index.js';
import { isMislabelledJson, readForm, readQuery, textOf } from '../../server/decode/fields.js';
import { createDecoding } from '../../server/decode/index.js';
import { joinJson } from '../../server/decode/json_fields.js';
import { digits, formOf } from './helpers.js';

const pairs = 'application/x-www-form-urlencoded';
const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

/** @source  TorchServe, ModelServerTest.java: all 256 values through both kinds of form. */
t.test('every byte comes through pairs and parts', async t => {
  const escaped = [...everyByte].map(byte => `%${byte.toString(16).padStart(2, '0')}`).join('');
  const form = formOf('data', everyByte);
  const multipart = `multipart/form-data; boundary=${form.boundary}`;
  const read = [
    await readForm(Buffer.from(`data=${escaped}`), pairs),
    await readForm(Buffer.from(`data=${escaped.toUpperCase()}`), `${pairs}; charset=utf-8`),
    await readForm(form.bytes, multipart),
    readQuery(`data=${escaped}`),
  ];
  for (const fields of read) t.ok(fields.get('data')?.bytes.equals(everyByte));
});

const queries = [
  { query: '', fields: {} },
  { query: '&&', fields: {} },
  { query: 'a', fields: { a: '' } },
  { query: 'a=', fields: { a: '' } },
  { query: '=b', fields: { '': 'b' } },
  { query: 'a=b=c', fields: { a: 'b=c' } },
  { query: 'a+b=c+d%2B', fields: { 'a b': 'c d+' } },
  { query: 'a=%zz%4&b=%', fields: { a: '%zz%4', b: '%' } },
  { query: 'a=1&b=2&a=3', fields: { a: '3', b: '2' } },
  { query: '%C3%A4=%E2%82%AC&ö=é', fields: { ä: '€', ö: 'é' } },
] as const;

for (const { query, fields } of queries) {
  t.test(`the query "${query}"`, async t => {
    const read = readQuery(query);
    t.same(Object.fromEntries([...read.keys()].map(name => [name, textOf(read, name)])), fields);
  });
}

const bodies = [
  { type: pairs, body: '{"a":1}', isJson: true },
  { type: pairs, body: ' \r\n[[1]]', isJson: true },
  { type: pairs, body: 'data={"a":1}', isJson: false },
  { type: pairs, body: '', isJson: false },
  { type: 'multipart/form-data', body: '{', isJson: false },
] as const;

for (const { type, body, isJson } of bodies) {
  t.test(`${JSON.stringify(body)} as ${type}`, async t => {
    t.equal(isMislabelledJson(type, Buffer.from(body)), isJson);
  });
}

t.test('numbers keep their digits on the way into one body', async t => {
  const fields = readQuery('b=[[9007199254740993]]&a=0.10');
  const specs = [
    { name: 'a', type: 'float64', shape: [] },
    { name: 'b', type: 'int64', shape: [-1, 1] },
  ] as const;
  t.equal(
    joinJson(fields, specs).toString(),
    '{"inputs":[{"name":"a","datatype":"FP64","shape":[],"data":0.10},' +
      '{"name":"b","datatype":"INT64","shape":[1,1],"data":[[9007199254740993]]}]}',
  );
});

t.test('a form with two files has the images of two inputs', async t => {
  const model = await loadModel(digits);
  t.teardown(model.close);
  const { info } = model;
  const [input] = info.signature.inputs;
  const image = info.preprocess?.['image'];
  if (input === undefined || image === undefined) throw new Error('expected an image model');
  const inputs = ['img1', 'img2'].map(name => ({ ...input, name }));
  const signature = { ...info.signature, inputs };
  const twice = { ...info, signature, preprocess: { img1: image, img2: image } };
  const limits = { maxRequestBytes: 1e6, maxImagePixels: 1e6, maxWaitingImages: 9, httpThreads: 1 };
  const { decode } = createDecoding(limits);
  const files = [3, 7].map(digit => readFile(join(digits, 'samples', `${digit}.png`)));
  const [three = Buffer.alloc(0), seven = Buffer.alloc(0)] = await Promise.all(files);
  const decoded = async (names: readonly [string, string]) => {
    const [first, second] = [formOf(names[0], seven), formOf(names[1], three)];
    const { boundary } = first;
    const end = Buffer.byteLength(`--${boundary}--\r\n`);
    const body = Buffer.concat([first.bytes.subarray(0, -end), second.bytes]);
    const contentType = `multipart/form-data; boundary=${boundary}`;
    const { signal } = new AbortController();
    return decode({ body, contentType, contentEncoding: '', signal }, twice);
  };
  const both = await decoded(['img2', 'img1']);
  if (both.kind !== 'tensors') throw new Error(`expected tensors, got ${both.kind}`);
  const one = { body: three, contentType: 'image/png', contentEncoding: '' };
  const alone = await decode({ ...one, signal: new AbortController().signal }, info);
  if (alone.kind !== 'tensors') throw new Error(`expected tensors, got ${alone.kind}`);
  t.same(Object.keys(both.tensors).sort(), ['img1', 'img2']);
  t.same(both.tensors['img1'], alone.tensors['image']);
  t.notSame(both.tensors['img2'], alone.tensors['image']);
  await t.rejects(decoded(['img1', 'other']), {
    message: 'body: expected a field "img2" with an image, got the fields "img1", "other"',
  });
});
