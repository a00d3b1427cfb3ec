// SPDX-License-Identifier: Apache-2.0
// Arrays of NumPy -> inputs of a model: row-major, and of the element type that the model has. Large ones in slices, so
// that other requests get their turn in between.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ElementType, TensorData, TensorSpec } from '../../lib/index.js';
import { elementTypes } from '../../lib/index.js';
import { numbersOf, smallFloatBits } from '../numbers.js';
import { badInput, specText } from './describe.js';
import type { NpyArray } from './npy.js';

/** Elements between two turns of the event loop: about a millisecond of the slowest work. */
const sliceElements = 8192;

/** Calls `work` for slices of 0 up to `count`, each in a turn of its own. */
async function inSlices(count: number, work: (start: number, end: number) => void): Promise<void> {
  for (let start = 0; start < count; start += sliceElements) {
    if (start > 0) await nextTurn();
    work(start, Math.min(count, start + sliceElements));
  }
}

/** The same for each index. */
export function eachInSlices(count: number, work: (index: number) => void): Promise<void> {
  return inSlices(count, (start, end) => {
    for (let index = start; index < end; index++) work(index);
  });
}

/**
 * @returns  the elements as predict() takes them for this input; those of the array itself where nothing has to change.
 *           Numbers are converted as if they had come as JSON: rounded to the nearest float, NaN and infinities kept.
 * @throws   INFER_BAD_INPUT for texts where numbers belong and the other way round, and for a value that the type of the
 *           input cannot hold, with its place.
 */
export async function toInput(array: NpyArray, spec: TensorSpec, where: string) {
  const data = await cast(array, spec, where);
  const { shape, isFortran } = array;
  const isStraight = !isFortran || shape.filter(size => size > 1).length < 2;
  return { shape, data: isStraight ? data : await inRowOrder(data, shape, spec.type) };
}

type Numbers = Exclude<TensorData, readonly string[]>;
/** Which array is which is known from its type; the elements are then of one kind. */
type Writable = { [index: number]: number | bigint | string; readonly length: number };

function emptyOf(type: ElementType, length: number): Writable {
  const { array: ArrayClass } = elementTypes[type];
  return ArrayClass === undefined
    ? new Array<string>(length)
    : (new ArrayClass(length) as Writable);
}

async function cast(array: NpyArray, spec: TensorSpec, where: string): Promise<TensorData> {
  const { type } = spec;
  if (array.type === type) return array.data;
  if (array.type === 'string' || type === 'string') {
    throw badInput(where, `elements for ${specText(spec)}`, `elements of type ${array.type}`);
  }
  const source: Numbers = array.type === 'float16' ? numbersOf(array) : (array.data as Numbers);
  const refuse = (index: number) => {
    const got = `${source[index]}`;
    return badInput(`${where}, element ${index}`, `a value for ${specText(spec)}`, got);
  };
  if (type === 'float32' && source instanceof Float64Array) return narrowed(source, refuse);
  const out = emptyOf(type, source.length);
  const put = putters[type];
  await eachInSlices(source.length, index => {
    if (!put(out, index, source[index] ?? 0)) throw refuse(index);
  });
  return out as TensorData;
}

/** What NumPy has unless told otherwise to what models have: ten times as fast as the general way. */
async function narrowed(source: Float64Array, refuse: (index: number) => Error) {
  const out = new Float32Array(source.length);
  await inSlices(source.length, (start, end) => {
    out.set(source.subarray(start, end), start);
    for (let index = start; index < end; index++) {
      if (!Number.isFinite(out[index]) && Number.isFinite(source[index])) throw refuse(index);
    }
  });
  return out;
}

/** Writes a value; false for one that the type cannot hold. */
type Put = (out: Writable, index: number, value: number | bigint) => boolean;

const putFloat: Put = (out, index, value) => {
  const number = Number(value);
  out[index] = number;
  return Number.isFinite(out[index]) || !Number.isFinite(number);
};

/** What an array of integers takes of any other number is not that number. */
const putInteger: Put = (out, index, value) => {
  out[index] = Number(value);
  return out[index] === Number(value);
};

const putBigInteger: Put = (out, index, value) => {
  if (typeof value === 'number' && !Number.isInteger(value)) return false;
  const integer = BigInt(value);
  out[index] = integer;
  return out[index] === integer;
};

const putBoolean: Put = (out, index, value) => {
  const number = Number(value);
  out[index] = number;
  return number === 0 || number === 1;
};

function putSmallFloat(type: 'float16' | 'bfloat16'): Put {
  const infinity = smallFloatBits(type, Number.POSITIVE_INFINITY);
  return (out, index, value) => {
    const bits = smallFloatBits(type, Number(value));
    out[index] = bits;
    return (bits & 0x7fff) !== infinity || !Number.isFinite(Number(value));
  };
}

const putters: Readonly<Record<Exclude<ElementType, 'string'>, Put>> = {
  float32: putFloat,
  float64: putFloat,
  float16: putSmallFloat('float16'),
  bfloat16: putSmallFloat('bfloat16'),
  int8: putInteger,
  int16: putInteger,
  int32: putInteger,
  int64: putBigInteger,
  uint8: putInteger,
  uint16: putInteger,
  uint32: putInteger,
  uint64: putBigInteger,
  bool: putBoolean,
};

/** @param data  with the first axis as the one that runs fastest. */
async function inRowOrder(
  data: TensorData,
  shape: readonly number[],
  type: ElementType,
): Promise<TensorData> {
  const out = emptyOf(type, data.length);
  const steps = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const place = shape.map(() => 0);
  let target = 0;
  await eachInSlices(data.length, index => {
    out[target] = data[index] ?? 0;
    for (let axis = 0; axis < shape.length; axis++) {
      const [size = 1, step = 1, at = 0] = [shape[axis], steps[axis], place[axis]];
      target += step;
      place[axis] = at + 1;
      if (at + 1 < size) return;
      target -= step * size;
      place[axis] = 0;
    }
  });
  return out as TensorData;
}
