// SPDX-License-Identifier: Apache-2.0
// Wrong names, values and element types of inputs: each is refused before it is queued, with a message that says why.
import { type Refusal, testRefusals } from './refusals.js';

const detached = new Float32Array(4);
structuredClone(detached, { transfer: [detached.buffer] });
const revoked = Proxy.revocable({}, {});
revoked.revoke();
const four = new Float32Array(4);
const two = new Float32Array(2);
const affine = 'affine.onnx'; // x float32 [batch, 4]
const pair = 'two_inputs.onnx'; // a float32 [batch, 2], b int64 [batch, 3]
const bool = 'identity_bool.onnx'; // x bool [batch, 2]
const text = 'identity_string.onnx'; // x string [batch, 2]
const half = 'identity_float16.onnx'; // x float16 [batch, 2]
const long = 'identity_int64.onnx'; // x int64 [batch, 2]

const cases: readonly Refusal[] = [
  // Names
  {
    name: 'no inputs',
    model: affine,
    inputs: undefined,
    says: 'inputs: expected an object with "x", got undefined',
  },
  {
    name: 'null',
    model: affine,
    inputs: null,
    says: 'inputs: expected an object with "x", got null',
  },
  {
    name: 'a bare array',
    model: affine,
    inputs: four,
    says: 'inputs: expected an object with "x", got Float32Array',
  },
  {
    name: 'a list of inputs',
    model: affine,
    inputs: [four],
    says: 'inputs: expected an object with "x", got Array of 1',
  },
  {
    name: 'a Map',
    model: affine,
    inputs: new Map([['x', four]]),
    says: 'input "x": missing; its inputs are "x"',
  },
  {
    name: 'an empty object',
    model: pair,
    inputs: {},
    says: 'input "a": missing; its inputs are "a", "b"',
  },
  {
    name: 'one of two inputs',
    model: pair,
    inputs: { a: two },
    says: 'input "b": missing; its inputs are "a", "b"',
  },
  {
    name: 'an input too many',
    model: affine,
    inputs: { x: four, z: four },
    says: 'input "z": the model has no such input; its inputs are "x"',
  },
  {
    name: 'another name',
    model: affine,
    inputs: { X: four },
    says: 'input "x": missing; its inputs are "x"',
  },
  {
    name: 'an own __proto__',
    model: affine,
    inputs: JSON.parse('{"x":1,"__proto__":2}'),
    says: 'input "__proto__": the model has no such input',
  },
  {
    name: 'constructor',
    model: affine,
    inputs: { x: four, constructor: four },
    says: 'input "constructor": the model has no such input',
  },
  {
    name: 'an inherited input',
    model: affine,
    inputs: Object.create({ x: four }),
    says: 'input "x": missing',
  },
  {
    name: 'an endless name',
    model: affine,
    inputs: { x: four, ['n'.repeat(1e6)]: four },
    says: `input "${'n'.repeat(60)}..."`,
  },
  // Values
  {
    name: 'a missing value',
    model: affine,
    inputs: { x: undefined },
    says: 'input "x": expected Float32Array (float32) or { shape, data }, got undefined',
  },
  {
    name: 'a null value',
    model: affine,
    inputs: { x: null },
    says: 'input "x": expected Float32Array (float32) or { shape, data }, got null',
  },
  {
    name: 'a number',
    model: affine,
    inputs: { x: 1 },
    says: 'input "x": expected Float32Array (float32) or { shape, data }, got 1',
  },
  { name: 'a string', model: affine, inputs: { x: 'abc' }, says: 'got "abc"' },
  {
    name: 'an array of numbers',
    model: affine,
    inputs: { x: [1, 2, 3, 4] },
    says: 'input "x": expected Float32Array (float32), got Array of 4',
  },
  { name: 'an ArrayBuffer', model: affine, inputs: { x: four.buffer }, says: 'got ArrayBuffer' },
  {
    name: 'a DataView',
    model: affine,
    inputs: { x: new DataView(four.buffer) },
    says: 'got DataView',
  },
  {
    name: 'an object without data',
    model: affine,
    inputs: { x: { shape: [1, 4] } },
    says: 'input "x": expected Float32Array (float32) or { shape, data }, got Object',
  },
  {
    name: 'a dead proxy',
    model: affine,
    inputs: { x: revoked.proxy },
    says: 'proxy that has been revoked',
  },
  {
    name: 'a getter that throws',
    model: affine,
    inputs: {
      get x() {
        throw new Error('no luck');
      },
    },
    says: 'no luck',
  },
  {
    name: 'an unknown tensor key',
    model: affine,
    inputs: { x: { dims: [1, 4], data: four } },
    says: 'input "x": expected only the keys "type", "shape", "data", got "dims"',
  },
  // Types
  {
    name: 'wider floats',
    model: affine,
    inputs: { x: new Float64Array(4) },
    says: 'input "x": expected Float32Array (float32), got Float64Array',
  },
  {
    name: 'bytes for floats',
    model: affine,
    inputs: { x: Buffer.alloc(16) },
    says: 'input "x": expected Float32Array (float32), got Uint8Array',
  },
  {
    name: 'clamped bytes for bool',
    model: bool,
    inputs: { x: new Uint8ClampedArray(2) },
    says: 'input "x": expected Uint8Array (bool), got Uint8ClampedArray',
  },
  {
    name: 'another declared type',
    model: affine,
    inputs: { x: { type: 'float64', data: four } },
    says: 'input "x": expected type "float32", got "float64"',
  },
  {
    name: 'no type at all',
    model: affine,
    inputs: { x: { type: 7, data: four } },
    says: 'input "x": expected type "float32", got 7',
  },
  {
    name: 'a bool of 2',
    model: bool,
    inputs: { x: new Uint8Array([1, 2]) },
    says: 'input "x": expected 0 or 1 (bool), got 2 at index 1',
  },
  {
    name: 'JS booleans',
    model: bool,
    inputs: { x: [true, false] },
    says: 'input "x": expected Uint8Array (bool), got Array of 2',
  },
  {
    name: 'a number among strings',
    model: text,
    inputs: { x: ['a', 1] },
    says: 'input "x": expected an array of strings (string), got 1 at index 1',
  },
  {
    name: 'a hole among strings',
    model: text,
    inputs: { x: new Array(2) },
    says: 'got undefined at index 0',
  },
  {
    name: 'bytes for strings',
    model: text,
    inputs: { x: new Uint8Array(2) },
    says: 'input "x": expected an array of strings (string), got Uint8Array',
  },
  {
    name: 'strings for floats',
    model: affine,
    inputs: { x: ['1', '2', '3', '4'] },
    says: 'input "x": expected Float32Array (float32), got Array of 4',
  },
  {
    name: 'floats for half floats',
    model: half,
    inputs: { x: two },
    says: 'input "x": expected Uint16Array (float16), got Float32Array',
  },
  {
    name: 'doubles for 64-bit integers',
    model: long,
    inputs: { x: new Float64Array(2) },
    says: 'input "x": expected BigInt64Array (int64), got Float64Array',
  },
  {
    name: 'unsigned for signed 64-bit integers',
    model: long,
    inputs: { x: new BigUint64Array(2) },
    says: 'got BigUint64Array',
  },
  {
    name: 'a transferred buffer',
    model: affine,
    inputs: { x: detached },
    says: 'input "x": expected a buffer that is still attached, got Float32Array of a transferred buffer',
  },
];

testRefusals(cases);
