// SPDX-License-Identifier: Apache-2.0
// JSON bytes to tensors: limits, ranges, shapes.
import t from 'tap';
import type { TensorSpec } from '../../lib/index.js';
import { parseJson } from '../../server/decode/json.js';
import { placeAt, readNested, readShaped } from '../../server/decode/tensor.js';

function messageOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return 'nothing was thrown';
}

const brokenTexts = [
  { name: 'nothing', text: '', says: /body: expected JSON, got no bytes/ },
  { name: 'a word', text: 'nope', says: /got "nope" at position 0/ },
  { name: 'NaN', text: '[[NaN,1]]', says: /got "NaN,1\]\]" at position 2 \(JSON has no NaN/ },
  { name: 'Infinity', text: '{"a":Infinity}', says: /at position 5 \(JSON has no NaN and no Inf/ },
  { name: '-Infinity', text: '[1, -Infinity]', says: /at position 4 \(JSON has no/ },
  { name: 'a missing end', text: '[[1,2]', says: /got the end of the text at position 6/ },
  { name: 'a trailing comma', text: '{"a":1,}', says: /got "}" at position 7/ },
  { name: 'a missing comma', text: '[1 2]', says: /got "2\]" at position 3/ },
  { name: 'a leading zero', text: '[01]', says: /at position 1/ },
  { name: 'a bare key', text: '{a:1}', says: /got "a:1}" at position 1/ },
  { name: 'a wrong bracket', text: '[1}', says: /got "}" at position 2/ },
  { name: 'an open string', text: '["abc', says: /at position 1/ },
  { name: 'a second value', text: '1 2', says: /got "2" at position 2/ },
  {
    name: '101 levels',
    text: '['.repeat(101),
    says: /at most 100 levels of nesting, got more at byte 100/,
  },
  { name: 'a million levels', text: '{"a":'.repeat(1e6), says: /at most 100 levels/ },
] as const;

for (const { name, text, says } of brokenTexts) {
  t.test(`${name} is refused with its place`, async t => {
    t.match(
      messageOf(() => parseJson(Buffer.from(text))),
      says,
    );
  });
}

t.test('bytes that are not UTF-8 are refused', async t => {
  t.match(
    messageOf(() => parseJson(Buffer.from([0x22, 0xff, 0x22]))),
    /expected JSON in UTF-8/,
  );
});

t.test('brackets within strings do not count as nesting', async t => {
  const text = JSON.stringify(['['.repeat(500), '\\"'.repeat(100), '{'.repeat(500)]);
  t.same(parseJson(Buffer.from(text)), JSON.parse(text));
  t.equal(
    messageOf(() => parseJson(Buffer.from('['.repeat(100) + ']'.repeat(100)))),
    'nothing was thrown',
  );
});

function specOf(type: TensorSpec['type'], shape: readonly number[]): TensorSpec {
  return { name: 'x', type, shape };
}

const place = placeAt('body', 1e6);

const elements = [
  {
    type: 'float32',
    good: [0, -0, 1.5, 3.4028234663852886e38],
    bad: [1e39, Infinity, '1', null, true, [1]],
  },
  { type: 'float64', good: [1e308, 5e-324], bad: [Infinity, '1', null] },
  { type: 'float16', good: [1.5, 65504, 65519.9], bad: [65520, Infinity, null] },
  { type: 'bfloat16', good: [1.5, 3.3895e38], bad: [3.4e38, Infinity] },
  { type: 'int8', good: [-128, 127], bad: [-129, 128, 1.5, '1', true, null] },
  { type: 'int16', good: [-32768, 32767], bad: [32768, 0.5] },
  { type: 'int32', good: [-2147483648, 2147483647], bad: [2147483648, 0.5] },
  { type: 'int64', good: [-9007199254740991, 9007199254740991], bad: [9007199254740992, 0.5, '1'] },
  { type: 'uint8', good: [0, 255], bad: [256, -1, 2 ** 1024] },
  { type: 'uint16', good: [0, 65535], bad: [65536, -1] },
  { type: 'uint32', good: [0, 4294967295], bad: [4294967296, -1] },
  { type: 'uint64', good: [0, 9007199254740991], bad: [9007199254740992, -1] },
  { type: 'bool', good: [true, false, 1, 0], bad: [2, 'true', null, 0.5] },
  { type: 'string', good: ['', 'a\u0000b', '\u00e4'], bad: [1, null, ['a']] },
] as const;

for (const { type, good, bad } of elements) {
  t.test(`${type} takes what it can hold and nothing else`, async t => {
    const spec = specOf(type, [-1]);
    t.same(readNested([...good], spec, place).shape, [good.length]);
    for (const value of bad) {
      const message = messageOf(() => readNested([good[0], value], spec, place));
      t.match(message, /^body\[1\]: expected .+ for "x" \(\w+ \[-1\]\), got /, String(value));
    }
  });
}

const shapes = [
  {
    name: 'rows become a shape',
    value: [
      [1, 2],
      [3, 4],
      [5, 6],
    ],
    spec: [-1, 2],
    shape: [3, 2],
  },
  { name: 'no rows keep the fixed axes', value: [], spec: [-1, 2], shape: [0, 2] },
  { name: 'a scalar has no axis', value: 7, spec: [], shape: [] },
  {
    name: 'free axes take the size of the first',
    value: [[[1], [2]]],
    spec: [-1, -1, -1],
    shape: [1, 2, 1],
  },
] as const;

for (const { name, value, spec, shape } of shapes) {
  t.test(name, async t => t.same(readNested(value, specOf('float32', spec), place).shape, shape));
}

const wrongShapes = [
  {
    name: 'a row too short',
    value: [[1, 2, 3]],
    says: 'body[0]: expected 4 values along axis 1 of "x" (float32 [-1, 4]), got 3',
  },
  {
    name: 'a later row too short',
    value: [
      [1, 2, 3, 4],
      [1, 2, 3],
    ],
    says: 'body[1]: expected an array of 4 (axis 1 of shape [2, 4]), got an array of 3',
  },
  {
    name: 'a number for a row',
    value: [[1, 2, 3, 4], 5],
    says: 'body[1]: expected an array of 4 (axis 1 of shape [2, 4]), got 5',
  },
  {
    name: 'too few axes',
    value: [1, 2, 3, 4],
    says: 'body[0]: expected an array for axis 1 of "x" (float32 [-1, 4]), got 1',
  },
  {
    name: 'too many axes',
    value: [[[1], 2, 3, 4]],
    says: 'body[0][0]: expected a finite number within float32 for "x" (float32 [-1, 4]), got an array of 1',
  },
  {
    name: 'no array',
    value: 'a',
    says: 'body: expected an array for axis 0 of "x" (float32 [-1, 4]), got the string "a"',
  },
] as const;

for (const { name, value, says } of wrongShapes) {
  t.test(`${name} is named with its path`, async t => {
    t.equal(
      messageOf(() => readNested(value, specOf('float32', [-1, 4]), place)),
      says,
    );
  });
}

t.test('a ragged text that promises a huge tensor allocates nothing for it', async t => {
  const value = [new Array(1000).fill(0), ...new Array(1e5).fill([])];
  const before = process.memoryUsage().arrayBuffers;
  const message = messageOf(() =>
    readNested(value, specOf('float64', [-1, -1]), placeAt('body', 4e5)),
  );
  t.match(message, /^body\[1\]: expected an array of 1000/);
  t.ok(process.memoryUsage().arrayBuffers - before < 1e6, 'no buffer of 800 MB');
});

t.test('flat and nested data of a given shape are the same tensor', async t => {
  const at = { spec: specOf('int32', [-1, 2]), place };
  const flat = readShaped([1, 2, 3, 4], [2, 2], at);
  t.same(
    readShaped(
      [
        [1, 2],
        [3, 4],
      ],
      [2, 2],
      at,
    ),
    flat,
  );
  t.same([...flat.data], [1, 2, 3, 4]);
  t.match(
    messageOf(() => readShaped([1, 2, 3], [2, 2], at)),
    /^body: expected 4 elements for shape \[2, 2\], got 3/,
  );
  t.match(
    messageOf(() => readShaped([1], [2147483647, 2147483647], at)),
    /expected 4\d+ elements/,
  );
});
