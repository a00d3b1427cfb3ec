// SPDX-License-Identifier: Apache-2.0
// The elements of one tensor while they are filled in from JSON values, with the range rules of each type.
import type { ElementType, TensorData } from '../../lib/index.js';
import { bfloat16, encodeSmallFloat, float16, type SmallFloat } from './small_float.js';

/** Elements being filled in, in order. */
export interface Column {
  readonly data: TensorData;
  /** @returns  false, and nothing is written, when the value is none that the type can hold. */
  readonly store: (index: number, value: unknown) => boolean;
}

interface Kind {
  /** What a message calls a right value. */
  readonly expected: string;
  readonly create: (length: number) => Column;
}

type NumberArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array;

function numbers(data: NumberArray, fits: (value: number) => boolean): Column {
  const store = (index: number, value: unknown) => {
    if (typeof value !== 'number' || !fits(value)) return false;
    data[index] = value;
    return true;
  };
  return { data, store };
}

function integers(make: (length: number) => NumberArray, low: number, high: number): Kind {
  const fits = (value: number) => Number.isInteger(value) && value >= low && value <= high;
  return {
    expected: `an integer from ${low} to ${high}`,
    create: length => numbers(make(length), fits),
  };
}

/** Safe integers only: JSON.parse has rounded a larger one already, so its digits are lost. */
function bigIntegers(make: (length: number) => BigInt64Array | BigUint64Array, low: number): Kind {
  const create = (length: number) => {
    const data = make(length);
    const store = (index: number, value: unknown) => {
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < low) return false;
      data[index] = BigInt(value);
      return true;
    };
    return { data, store };
  };
  const lowText = low === 0 ? '0' : '-(2^53 - 1)';
  return {
    expected: `an integer from ${lowText} to 2^53 - 1 (larger ones lose digits in JSON numbers)`,
    create,
  };
}

function smallFloats(layout: SmallFloat, name: string): Kind {
  const infinity = encodeSmallFloat(layout, Number.POSITIVE_INFINITY);
  const create = (length: number) => {
    const data = new Uint16Array(length);
    const store = (index: number, value: unknown) => {
      if (typeof value !== 'number') return false;
      const bits = encodeSmallFloat(layout, value);
      if ((bits & 0x7fff) >= infinity) return false;
      data[index] = bits;
      return true;
    };
    return { data, store };
  };
  return { expected: `a finite number within ${name}`, create };
}

function booleans(length: number): Column {
  const data = new Uint8Array(length);
  const store = (index: number, value: unknown) => {
    if (value !== true && value !== false && value !== 0 && value !== 1) return false;
    data[index] = Number(value);
    return true;
  };
  return { data, store };
}

function strings(length: number): Column {
  const data = new Array<string>(length).fill('');
  const store = (index: number, value: unknown) => {
    if (typeof value !== 'string') return false;
    data[index] = value;
    return true;
  };
  return { data, store };
}

const kinds: { readonly [T in ElementType]: Kind } = {
  float32: {
    expected: 'a finite number within float32',
    create: length =>
      numbers(new Float32Array(length), value => Number.isFinite(Math.fround(value))),
  },
  float64: {
    expected: 'a finite number within float64',
    create: length => numbers(new Float64Array(length), Number.isFinite),
  },
  float16: smallFloats(float16, 'float16'),
  bfloat16: smallFloats(bfloat16, 'bfloat16'),
  int8: integers(length => new Int8Array(length), -128, 127),
  int16: integers(length => new Int16Array(length), -32768, 32767),
  int32: integers(length => new Int32Array(length), -(2 ** 31), 2 ** 31 - 1),
  int64: bigIntegers(length => new BigInt64Array(length), -Number.MAX_SAFE_INTEGER),
  uint8: integers(length => new Uint8Array(length), 0, 255),
  uint16: integers(length => new Uint16Array(length), 0, 65535),
  uint32: integers(length => new Uint32Array(length), 0, 2 ** 32 - 1),
  uint64: bigIntegers(length => new BigUint64Array(length), 0),
  bool: { expected: 'true, false, 1 or 0', create: booleans },
  string: { expected: 'a string', create: strings },
};

/** Room for `length` elements, all zero or empty. */
export function createColumn(type: ElementType, length: number): Column {
  return kinds[type].create(length);
}

/** What a message calls a right element. */
export function expectedElement(type: ElementType): string {
  return kinds[type].expected;
}
