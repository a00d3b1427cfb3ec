// SPDX-License-Identifier: Apache-2.0
// Tensors -> JSON text: shortest digits that give the same number back, 64-bit integers in full.
import type { ElementType, Tensor, TensorData } from '../lib/index.js';
import { bfloat16, decodeSmallFloat, float16, type SmallFloat } from './decode/small_float.js';

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

type ElementText = (index: number) => string;

function smallFloatText(layout: SmallFloat, data: TensorData): ElementText {
  return index => float32Text(decodeSmallFloat(layout, Number(data[index])));
}

const writers: { readonly [T in ElementType]?: (data: TensorData) => ElementText } = {
  float32: data => index => float32Text(Number(data[index])),
  float64: data => index => (Object.is(data[index], -0) ? '-0' : String(data[index])),
  float16: data => smallFloatText(float16, data),
  bfloat16: data => smallFloatText(bfloat16, data),
  bool: data => index => (data[index] === 0 ? 'false' : 'true'),
  string: data => index => JSON.stringify(data[index]),
};

/** Integers of every width: their digits. */
const integerText = (data: TensorData) => (index: number) => String(data[index]);

function elementText({ type, data }: Tensor): ElementText {
  return (writers[type] ?? integerText)(data);
}

/** About as many bytes as an element takes, with its comma; a float32 has up to 9 digits, a float64 up to 17. */
const elementBytes: { readonly [T in ElementType]?: number } = {
  float64: 20,
  int64: 20,
  uint64: 20,
  float32: 12,
  bool: 6,
};

/** About the size of a tensor as text; strings may grow beyond it by what is escaped. */
export function textBytes(tensor: Tensor | undefined): number {
  if (tensor === undefined) return 0;
  const { type, data } = tensor;
  if (type !== 'string') return data.length * (elementBytes[type] ?? 8);
  let bytes = 0;
  for (const text of data) bytes += String(text).length + 3;
  return bytes;
}

/** All elements in row-major order: `[1,2,3]`. */
export function flatText(tensor: Tensor): string {
  return arrayText(elementText(tensor), 0, tensor.data.length);
}

function arrayText(text: ElementText, start: number, end: number): string {
  const parts = new Array<string>(end - start);
  for (let index = start; index < end; index++) parts[index - start] = text(index);
  return `[${parts.join(',')}]`;
}

/** Arrays nested like the shape; a scalar is its bare element. */
export function nestedText(tensor: Tensor): string {
  return axisText(tensor, {
    text: elementText(tensor),
    axis: 0,
    start: 0,
    size: tensor.data.length,
  });
}

/** One text per entry of axis 0, each nested like the rest of the shape. */
export function rowTexts(tensor: Tensor): string[] {
  const rows = tensor.shape[0] ?? 0;
  const size = rows === 0 ? 0 : tensor.data.length / rows;
  const text = elementText(tensor);
  return Array.from({ length: rows }, (_, row) =>
    axisText(tensor, { text, axis: 1, start: row * size, size }),
  );
}

interface Part {
  readonly text: ElementText;
  readonly axis: number;
  readonly start: number;
  readonly size: number;
}

function axisText(tensor: Tensor, { text, axis, start, size }: Part): string {
  const { shape } = tensor;
  if (axis === shape.length) return text(start);
  if (axis === shape.length - 1) return arrayText(text, start, start + size);
  const length = shape[axis] ?? 0;
  const step = length === 0 ? 0 : size / length;
  const parts = Array.from({ length }, (_, index) =>
    axisText(tensor, { text, axis: axis + 1, start: start + index * step, size: step }),
  );
  return `[${parts.join(',')}]`;
}

/** A tensor of numbers as float64; 64-bit integers lose digits beyond 2^53, strings are NaN unless they are numbers. */
export function numbersOf({ type, data }: Tensor): Float64Array {
  const layout = type === 'float16' ? float16 : type === 'bfloat16' ? bfloat16 : undefined;
  return Float64Array.from({ length: data.length }, (_, index) => {
    const value = Number(data[index]);
    return layout === undefined ? value : decodeSmallFloat(layout, value);
  });
}
