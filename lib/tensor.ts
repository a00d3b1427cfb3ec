// SPDX-License-Identifier: Apache-2.0
// Tensors: their element types, the arrays that carry them, and how they are written in messages.

/** Any array that can carry the numbers of a tensor. */
export type NumericData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array;

/**
 * The elements of a tensor, row-major. `float16` and `bfloat16` are their 16 bits in a Uint16Array,
 * `bool` is a Uint8Array of 0 and 1, `string` is an array of strings.
 */
export type TensorData = NumericData | readonly string[];

interface ArrayClass {
  new (length: number): NumericData;
  new (buffer: ArrayBuffer): NumericData;
}

interface ElementInfo {
  /** Size of one element in bytes; 0 for `string`, whose elements differ in size. */
  readonly bytes: number;
  /** The class of the array that carries it; undefined for `string`. */
  readonly array: ArrayClass | undefined;
}

const table = {
  float32: { bytes: 4, array: Float32Array },
  float64: { bytes: 8, array: Float64Array },
  float16: { bytes: 2, array: Uint16Array },
  bfloat16: { bytes: 2, array: Uint16Array },
  int8: { bytes: 1, array: Int8Array },
  int16: { bytes: 2, array: Int16Array },
  int32: { bytes: 4, array: Int32Array },
  int64: { bytes: 8, array: BigInt64Array },
  uint8: { bytes: 1, array: Uint8Array },
  uint16: { bytes: 2, array: Uint16Array },
  uint32: { bytes: 4, array: Uint32Array },
  uint64: { bytes: 8, array: BigUint64Array },
  bool: { bytes: 1, array: Uint8Array },
  string: { bytes: 0, array: undefined },
} as const;

/** The element types of ONNX that can be computed with, named as in NumPy. */
export type ElementType = keyof typeof table;

/** Each element type with its size in bytes and the class of the array that carries it. */
export const elementTypes: { readonly [T in ElementType]: ElementInfo } = table;

/** Element type, shape and elements. Axis 0 is the batch axis; the shape of a scalar is `[]`. */
export interface Tensor {
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** What a model expects of an input or returns as an output; -1 in `shape` is a free axis. */
export interface TensorSpec {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
}

/** The inputs and outputs of a model, in the order of its file. */
export interface Signature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
}

/** The largest size of one axis: that of a signed 32-bit integer, far above any array. */
export const maxAxisSize = 2 ** 31 - 1;

/** `float32 [-1, 4]`: how messages write a signature entry. */
export function specText(spec: { type: string; shape: readonly number[] }): string {
  return `${spec.type} ${shapeText(spec.shape)}`;
}

/** `[2, 4]`: how messages write a shape. */
export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

const tagGetter = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)?.get as (this: unknown) => string | undefined;

/**
 * The class name of a typed array, e.g. `Float32Array`; undefined for any other value. Unlike `instanceof`
 * it knows arrays of other realms (vm contexts, test runners) and is not fooled by a prototype.
 */
export function arrayTag(value: unknown): string | undefined {
  return tagGetter.call(value);
}

/** True when the buffer behind a view was transferred away. Only worth asking of an empty view. */
export function isDetached(view: ArrayBufferView): boolean {
  try {
    new Uint8Array(view.buffer); // the only test that Node 20 has: it throws on a detached buffer
    return false;
  } catch {
    return true;
  }
}

/**
 * Widens 32-bit to 64-bit signed integers.
 * @param values  int32, any length; not modified.
 * @returns       a new array of the same length and values.
 */
export function widenInt32(values: Int32Array): BigInt64Array {
  // Halves in little-endian order, the order of every platform that Node runs on with this addon.
  // Going through BigInt values costs ten times more.
  const halves = new Int32Array(values.length * 2);
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? 0;
    halves[2 * index] = value;
    halves[2 * index + 1] = value >> 31;
  }
  return new BigInt64Array(halves.buffer);
}
