// SPDX-License-Identifier: Apache-2.0
// Numbers <-> the 16 bits of float16 and bfloat16.

/** Layout of a 16-bit float. @source IEEE 754-2019 section 3.6 (binary16); bfloat16 is the top half of binary32. */
export interface SmallFloat {
  readonly exponentBits: number;
  readonly fractionBits: number;
}

export const float16: SmallFloat = { exponentBits: 5, fractionBits: 10 };
export const bfloat16: SmallFloat = { exponentBits: 8, fractionBits: 7 };

/**
 * Rounds to the nearest representable value, ties to even.
 * @param value  any number; NaN becomes a quiet NaN.
 * @returns      the 16 bits; infinity for what is too large.
 */
export function encodeSmallFloat(
  { exponentBits, fractionBits }: SmallFloat,
  value: number,
): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const infinity = ((1 << exponentBits) - 1) << fractionBits;
  if (Number.isNaN(value)) return infinity | (1 << (fractionBits - 1));
  const size = Math.abs(value);
  if (size === Number.POSITIVE_INFINITY) return sign | infinity;
  const bias = (1 << (exponentBits - 1)) - 1;
  const exponent = Math.max(exponentOf(size), 1 - bias);
  const units = roundHalfEven(size / 2 ** (exponent - fractionBits)); // exact: a power of two divides
  // Units of 2^fractionBits and more carry into the exponent field by themselves.
  const bits = ((exponent + bias - 1) << fractionBits) + units;
  return sign | Math.min(bits, infinity);
}

/** @param bits  of one value, 0 to 65535. */
export function decodeSmallFloat({ exponentBits, fractionBits }: SmallFloat, bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const fraction = bits & ((1 << fractionBits) - 1);
  const field = (bits >> fractionBits) & ((1 << exponentBits) - 1);
  const bias = (1 << (exponentBits - 1)) - 1;
  if (field === (1 << exponentBits) - 1)
    return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  const units = field === 0 ? fraction : fraction + (1 << fractionBits);
  return sign * units * 2 ** (Math.max(field, 1) - bias - fractionBits);
}

/** The largest e with 2^e <= size; -Infinity for 0. */
function exponentOf(size: number): number {
  const guess = Math.floor(Math.log2(size));
  if (2 ** guess > size) return guess - 1; // log2 may round up to a whole number
  return 2 ** (guess + 1) <= size ? guess + 1 : guess;
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
