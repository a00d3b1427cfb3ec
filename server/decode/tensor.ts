// SPDX-License-Identifier: Apache-2.0
// Parsed JSON arrays -> the elements of a tensor, written straight into its typed array.
import type { TensorData, TensorSpec } from '../../lib/index.js';
import { createColumn, expectedElement } from './column.js';
import { badInput, describe, specText } from './describe.js';

export interface JsonTensor {
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** Where a value stands and how large anything there can be. */
export interface Place {
  /** JSON path of the element that these indices lead to; without indices, of the whole value. */
  readonly path: (indices: readonly number[]) => string;
  /** Bytes of the JSON text: an upper bound on elements that keeps a lying shape from being allocated. */
  readonly sizeBytes: number;
}

/** A Place whose paths are `name[0][1]`. */
export function placeAt(name: string, sizeBytes: number): Place {
  return { path: indices => name + indices.map(index => `[${index}]`).join(''), sizeBytes };
}

/**
 * Reads arrays nested as deep as the input has axes. The shape is that of the first elements.
 * @param value  parsed JSON.
 * @param spec   of the input; its fixed axes must be met.
 * @throws       INFER_BAD_INPUT with the path of the first array or element that is wrong.
 */
export function readNested(value: unknown, spec: TensorSpec, place: Place): JsonTensor {
  const shape = shapeOf(value, spec, place);
  return { shape, data: fill(value, { spec, shape, place }) };
}

/**
 * Reads data whose shape was given beside it: flat in row-major order, or nested like the shape.
 * @param shape  integers from 0; not yet compared with the signature.
 * @throws       INFER_BAD_INPUT with the path of the first array or element that is wrong.
 */
export function readShaped(
  value: unknown,
  shape: readonly number[],
  at: { readonly spec: TensorSpec; readonly place: Place },
): JsonTensor {
  const { spec, place } = at;
  if (!Array.isArray(value)) {
    throw badInput(place.path([]), `an array of elements for ${specText(spec)}`, describe(value));
  }
  if (shape.length > 1 && Array.isArray(value[0])) {
    return { shape, data: fill(value, { spec, shape, place }) };
  }
  const size = sizeOf(shape);
  if (value.length !== size) {
    const expected = `${size} elements for shape [${shape.join(', ')}]`;
    throw badInput(place.path([]), expected, `${value.length}`);
  }
  return { shape, data: fill(value, { spec, shape: [size], place }) };
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function shapeOf(value: unknown, spec: TensorSpec, place: Place): number[] {
  const shape: number[] = [];
  const indices: number[] = [];
  let node = value;
  for (const [axis, fixed] of spec.shape.entries()) {
    if (!Array.isArray(node)) {
      const expected = `an array for axis ${axis} of ${specText(spec)}`;
      throw badInput(place.path(indices), expected, describe(node));
    }
    if (fixed >= 0 && node.length !== fixed) {
      const expected = `${fixed} values along axis ${axis} of ${specText(spec)}`;
      throw badInput(place.path(indices), expected, `${node.length}`);
    }
    shape.push(node.length);
    if (node.length === 0) break;
    node = node[0];
    indices.push(0);
  }
  // Below an empty axis nothing tells the size of the free ones.
  for (const fixed of spec.shape.slice(shape.length)) shape.push(Math.max(fixed, 0));
  return shape;
}

interface Filling {
  readonly spec: TensorSpec;
  readonly shape: readonly number[];
  readonly place: Place;
}

function fill(value: unknown, { spec, shape, place }: Filling): TensorData {
  const size = sizeOf(shape);
  // More elements than bytes: some array must be too short, so the walk throws before it ends.
  const column = createColumn(spec.type, size <= place.sizeBytes ? size : 0);
  const store = size <= place.sizeBytes ? column.store : () => true;
  const indices: number[] = [];
  const last = shape.length - 1;
  let next = 0;
  const element = (node: unknown) => {
    if (store(next++, node)) return;
    const expected = `${expectedElement(spec.type)} for ${specText(spec)}`;
    throw badInput(place.path(indices), expected, describe(node));
  };
  const walk = (node: unknown, axis: number) => {
    if (!Array.isArray(node) || node.length !== shape[axis]) {
      const expected = `an array of ${shape[axis]} (axis ${axis} of shape [${shape.join(', ')}])`;
      throw badInput(place.path(indices.slice(0, axis)), expected, describe(node));
    }
    for (let index = 0; index < node.length; index++) {
      indices[axis] = index;
      if (axis === last) element(node[index]);
      else walk(node[index], axis + 1);
    }
  };
  if (last < 0) element(value);
  else walk(value, 0);
  return column.data;
}
