// SPDX-License-Identifier: Apache-2.0
// The numbers of a tensor as JavaScript has them, and the digits of a float32.
import type { Tensor } from '../lib/index.js';

/**
 * Shortest decimal that rounds to the same float32.
 * @param value  a float32. NaN and infinities are written as `NaN`, `Infinity`, `-Infinity`, as Python's json does
 *               and reads; JSON itself has no word for them, and null would be another value.
 */
export function float32Text(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) && value < 1e7 && value > -1e7)
    return Object.is(value, -0) ? '-0' : String(value);
  const size = Math.abs(value);
  const digitsBefore = Math.floor(Math.log10(size)) + 1;
  if (digitsBefore < -12 || digitsBefore > 20) return shortestBySearch(value);
  // FLT_DIG = 6 digits always survive a float32, FLT_DECIMAL_DIG = 9 always suffice (C11 5.2.4.2.2).
  for (let digits = 6; digits <= 9; digits++) {
    const rounded = roundToDecimals(value, digits - digitsBefore);
    if (Math.fround(rounded) === value) return String(rounded);
  }
  return shortestBySearch(value);
}

/** Powers of ten that a float64 holds exactly. */
const powersOfTen = Array.from({ length: 23 }, (_, exponent) => Number(`1e${exponent}`));

/** Nearest float64 to the decimal with that many places: exact integer over exact power, rounded once. */
function roundToDecimals(value: number, decimals: number): number {
  const power = powersOfTen[Math.abs(decimals)] ?? 1;
  return decimals < 0 ? Math.round(value / power) * power : Math.round(value * power) / power;
}

function shortestBySearch(value: number): string {
  for (let digits = 1; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return String(rounded);
  }
  return String(Number(value.toPrecision(9)));
}

/** Layout of a 16-bit float. @source IEEE 754-2019 section 3.6 (binary16); bfloat16 is the top half of binary32. */
interface SmallFloat {
  readonly exponentBits: number;
  readonly fractionBits: number;
}

const float16: SmallFloat = { exponentBits: 5, fractionBits: 10 };
const bfloat16: SmallFloat = { exponentBits: 8, fractionBits: 7 };

/** @param bits  of one value, 0 to 65535. */
function decodeSmallFloat({ exponentBits, fractionBits }: SmallFloat, bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const fraction = bits & ((1 << fractionBits) - 1);
  const field = (bits >> fractionBits) & ((1 << exponentBits) - 1);
  const bias = (1 << (exponentBits - 1)) - 1;
  if (field === (1 << exponentBits) - 1)
    return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  const units = field === 0 ? fraction : fraction + (1 << fractionBits);
  return sign * units * 2 ** (Math.max(field, 1) - bias - fractionBits);
}

/** The 16 bits of the nearest value, ties to even; those of infinity for what is too large. */
export function smallFloatBits(type: 'float16' | 'bfloat16', value: number): number {
  const { exponentBits, fractionBits } = type === 'float16' ? float16 : bfloat16;
  const infinity = ((1 << exponentBits) - 1) << fractionBits;
  if (Number.isNaN(value)) return infinity | (1 << (fractionBits - 1));
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size === Number.POSITIVE_INFINITY) return sign | infinity;
  const bias = (1 << (exponentBits - 1)) - 1;
  const exponent = Math.max(exponentOf(size), 1 - bias);
  if (exponent > bias) return sign | infinity;
  const units = roundToEven(size / 2 ** (exponent - fractionBits)); // exact, as only a power of two divides
  // Units of 2^fractionBits and more carry into the exponent field by themselves.
  return sign | (((exponent + bias - 1) << fractionBits) + units);
}

/** Of a float64: the exponent of its highest bit. */
function exponentOf(size: number): number {
  doubles[0] = size;
  return Number((bits64[0] ?? 0n) >> 52n) - 1023;
}
const doubles = new Float64Array(1);
const bits64 = new BigUint64Array(doubles.buffer);

function roundToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

/** A tensor of numbers as float64; 64-bit integers lose digits beyond 2^53, strings are NaN unless they are numbers. */
export function numbersOf({ type, data }: Tensor): Float64Array {
  const layout = type === 'float16' ? float16 : type === 'bfloat16' ? bfloat16 : undefined;
  const numbers = new Float64Array(data.length);
  for (let index = 0; index < data.length; index++) {
    const value = Number(data[index]);
    numbers[index] = layout === undefined ? value : decodeSmallFloat(layout, value);
  }
  return numbers;
}
