// SPDX-License-Identifier: Apache-2.0
// The digits of a float32, and what a tensor's numbers are to JavaScript.
import t from 'tap';
import { float32Text, numbersOf } from '../../server/numbers.js';

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

// IEEE 754-2019: binary16 has 11 bits of precision, largest 65504, smallest 2^-24. bfloat16 is the top of a float32.
const numbers = [
  { type: 'float16', bits: [0x3c00, 0x7bff, 0x0001, 0xc000], values: [1, 65504, 2 ** -24, -2] },
  { type: 'float16', bits: [0x7c00, 0xfc00, 0x7e00], values: [Infinity, -Infinity, NaN] },
  { type: 'bfloat16', bits: [0x3f80, 0xc000, 0x0080], values: [1, -2, 2 ** -126] },
] as const;

for (const { type, bits, values } of numbers) {
  t.test(`${type} ${values.join(', ')} are read as numbers`, async t => {
    const tensor = { type, shape: [bits.length], data: Uint16Array.from(bits) };
    t.same([...numbersOf(tensor)], values);
  });
}

t.test('64-bit integers become the nearest numbers', async t => {
  const data = BigInt64Array.of(1n, -(2n ** 53n), 2n ** 53n + 1n);
  t.same([...numbersOf({ type: 'int64', shape: [3], data })], [1, -(2 ** 53), 2 ** 53]);
});
