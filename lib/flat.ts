// SPDX-License-Identifier: Apache-2.0
// Small requests and answers as bytes in one buffer that lib and addon share: crossing once for many costs each less.
//
// Layout, as in native/addon/flat.h:
//   buffer: bytes of the records that follow (int32), 4 bytes of nothing, records
//   record: its bytes (int32), number of the model or 0 for an answer (int32), id (float64), tensors
//   tensor: rank and dims (int32), from the next multiple of 8 on its elements
// Tensors and records end at a multiple of 8. Who reads the records sets their bytes to 0; until then one may append
// requests, but no answers.
import type { NativeData } from './inputs.js';
import {
  type ElementType,
  elementTypes,
  type NumericData,
  type Tensor,
  type TensorSpec,
} from './tensor.js';

/** Most bytes of elements of one request or answer that goes this way: more would gain little, and fill the buffer. */
export const mostFlatBytes = 1024;
const bufferBytes = 65_536;
const headBytes = 8;
const recordHeadBytes = 16;

/** One buffer, in one direction; made by flatBuffer(). */
export interface FlatBuffer {
  readonly bytes: ArrayBuffer;
  readonly words: Int32Array;
  readonly doubles: Float64Array;
  /** By element type: its elements are copied as what they are, so that every bit stays. */
  readonly views: { readonly [T in ElementType]: NumericData };
  /** Of readTensor(): where it reads next. */
  at: number;
}

/** What a request is about. */
export interface FlatRequest {
  readonly id: number;
  /** Its number: see NativeInfo. */
  readonly model: number;
  readonly inputs: readonly { readonly spec: Pick<TensorSpec, 'type'> }[];
}

/** An empty buffer. */
export function flatBuffer(): FlatBuffer {
  const bytes = new ArrayBuffer(bufferBytes);
  const views = Object.fromEntries(
    Object.entries(elementTypes).map(([type, { array: View = Uint8Array }]) => [
      type,
      new View(bytes),
    ]),
  ) as FlatBuffer['views'];
  return { bytes, words: new Int32Array(bytes), doubles: new Float64Array(bytes), views, at: 0 };
}

/** That of the array itself: a property of the caller's may have its name, and say anything or run code. */
const byteLengthOf = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  'byteLength',
)?.get as (this: NativeData) => number;

/**
 * Appends a request. Runs no code of the caller's.
 * @param data    of each input, as readInputs() writes it.
 * @param shapes  the same.
 * @returns       false, and nothing is appended, for one that has to go another way: with strings or without one of
 *                its inputs, too large, with elements that do not fit its shape any more, or the buffer is full.
 */
export function writeRequest(
  { words, doubles, views }: FlatBuffer,
  request: FlatRequest,
  data: readonly NativeData[],
  shapes: readonly number[],
): boolean {
  const start = headBytes + (words[0] ?? 0); // what is written there counts when all of it is
  let at = start + recordHeadBytes;
  let elementBytes = 0;
  let next = 0;
  for (let index = 0; index < data.length; index++) {
    const type = request.inputs[index]?.spec.type ?? 'string';
    const elements = data[index] as Float32Array | undefined; // or any other: set() fits it to its view
    if (elements === undefined || type === 'string') return false;
    const view = views[type] as Float32Array;
    const rank = shapes[next++] ?? 0;
    words[at / 4] = rank;
    at += 4;
    let bytes = view.BYTES_PER_ELEMENT;
    for (let axis = 0; axis < rank; axis++) {
      const size = shapes[next++] ?? 0;
      words[at / 4] = size;
      at += 4;
      bytes *= size;
    }
    at = aligned(at);
    elementBytes += bytes;
    if (elementBytes > mostFlatBytes || at + bytes > bufferBytes) return false;
    if (byteLengthOf.call(elements) !== bytes) return false;
    view.set(elements, at / view.BYTES_PER_ELEMENT);
    at = aligned(at + bytes);
  }
  if (at > bufferBytes) return false;
  words[start / 4] = at - start;
  words[start / 4 + 1] = request.model;
  doubles[start / 8 + 1] = request.id;
  words[0] = at - headBytes;
  return true;
}

function aligned(bytes: number): number {
  return (bytes + 7) & ~7;
}

/**
 * Reads all answers, and leaves the buffer empty.
 * @param answer  is called for each of them; readTensor() then gives its outputs, one after the other.
 */
export function readAnswers(flat: FlatBuffer, answer: (id: number) => void): void {
  const { words, doubles } = flat;
  const end = headBytes + (words[0] ?? 0);
  for (let at = headBytes; at < end; at += words[at / 4] ?? end) {
    flat.at = at + recordHeadBytes;
    answer(doubles[at / 8 + 1] ?? 0);
  }
  words[0] = 0;
}

/** The next output of the answer that is being read, in arrays of its own. */
export function readTensor(flat: FlatBuffer, type: ElementType): Tensor {
  const { words } = flat;
  const shape: number[] = [];
  const rank = words[flat.at / 4] ?? 0;
  let length = 1;
  for (let axis = 1; axis <= rank; axis++) {
    const size = words[flat.at / 4 + axis] ?? 0;
    shape.push(size);
    length *= size;
  }
  const view = flat.views[type];
  const from = aligned(flat.at + 4 + 4 * rank);
  const first = from / view.BYTES_PER_ELEMENT;
  flat.at = aligned(from + length * view.BYTES_PER_ELEMENT);
  return { type, shape, data: view.slice(first, first + length) };
}
