// SPDX-License-Identifier: Apache-2.0
// Tensors to JSON text: digits, nesting, 16-bit floats.
import t from 'tap';
import type { Tensor } from '../../lib/index.js';
import {
  bfloat16,
  decodeSmallFloat,
  encodeSmallFloat,
  float16,
} from '../../server/decode/small_float.js';
import { flatText, float32Text, nestedText, rowTexts } from '../../server/tensor_text.js';

// Digits by std::to_chars(float) of GCC 12, which gives the shortest; the exponent's zeros as JavaScript writes them.
const digitCases = [
  [0.1, '0.1'],
  [1 / 3, '0.33333334'],
  [16777216, '16777216'],
  [3.4028234663852886e38, '3.4028235e+38'],
  [1.401298464324817e-45, '1e-45'],
  [1.1754943508222875e-38, '1.1754944e-38'],
  [0.9993135, '0.9993135'],
  [123456.789, '123456.79'],
  [-0, '-0'],
  [1e10, '10000000000'],
  [Number.NaN, 'NaN'],
  [Number.NEGATIVE_INFINITY, '-Infinity'],
] as const;

for (const [value, text] of digitCases) {
  t.test(`float32 ${text} has its shortest digits`, async t => {
    t.equal(float32Text(Math.fround(value)), text);
  });
}

/** The fewest digits that give the number back, by search over toPrecision. */
function fewestDigits(value: number): number {
  let digits = 1;
  while (Math.fround(Number(value.toPrecision(digits))) !== value) digits++;
  return digits;
}

t.test('every float32 text gives the same number back in the fewest digits', async t => {
  const bits = new Uint32Array(1);
  const floats = new Float32Array(bits.buffer);
  let seed = 1;
  let examined = 0;
  for (let index = 0; index < 40_000; index++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; // Numerical Recipes, section 7.1
    bits[0] = seed;
    const value = floats[0] ?? 0;
    if (!Number.isFinite(value)) continue;
    examined++;
    const text = float32Text(value);
    if (Math.fround(Number(text)) !== value) t.fail(`${value} became ${text}`);
    const digits = text.replace(/e.*|[-.]/g, '').replace(/^0+|0+$/g, '').length;
    if (digits > fewestDigits(value)) t.fail(`${text} has ${digits} digits`);
  }
  t.ok(examined > 39_000);
});

t.test('16-bit floats survive both ways, all 65536 of them', async t => {
  for (const layout of [float16, bfloat16]) {
    let wrong = 0;
    for (let bits = 0; bits < 65536; bits++) {
      const value = decodeSmallFloat(layout, bits);
      if (!Number.isNaN(value) && encodeSmallFloat(layout, value) !== bits) wrong++;
    }
    t.equal(wrong, 0);
  }
});

// IEEE 754-2019: binary16 has 11 bits of precision, largest 65504, smallest 2^-24; ties go to even.
const halves = [
  { value: 1, bits: 0x3c00 },
  { value: 65504, bits: 0x7bff },
  { value: 65520, bits: 0x7c00 },
  { value: 2 ** -24, bits: 0x0001 },
  { value: 2 ** -25, bits: 0x0000 },
  { value: 1 + 2 ** -11, bits: 0x3c00 },
  { value: 1 + 3 * 2 ** -11, bits: 0x3c02 },
  { value: -2, bits: 0xc000 },
] as const;

for (const { value, bits } of halves) {
  t.test(`${value} is float16 0x${bits.toString(16)}`, async t => {
    t.equal(encodeSmallFloat(float16, value), bits);
  });
}

t.test('tensors are written flat, nested and by row', async t => {
  const tensor: Tensor = {
    type: 'int64',
    shape: [2, 1, 2],
    data: BigInt64Array.of(1n, -(2n ** 63n), 3n, 4n),
  };
  t.equal(flatText(tensor), '[1,-9223372036854775808,3,4]');
  t.equal(nestedText(tensor), '[[[1,-9223372036854775808]],[[3,4]]]');
  t.same(rowTexts(tensor), ['[[1,-9223372036854775808]]', '[[3,4]]']);
  t.equal(nestedText({ type: 'bool', shape: [], data: Uint8Array.of(1) }), 'true');
  t.equal(nestedText({ type: 'string', shape: [2], data: ['a"', '\u0000'] }), '["a\\"","\\u0000"]');
  t.equal(nestedText({ type: 'float32', shape: [0, 3], data: new Float32Array() }), '[]');
  t.equal(flatText({ type: 'float16', shape: [1], data: Uint16Array.of(0x3555) }), '[0.33325195]');
});
