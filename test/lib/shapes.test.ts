// SPDX-License-Identifier: Apache-2.0
// Wrong sizes and shapes of inputs: each is refused before it is queued, with a message that says why.
import t from 'tap';
import { loadModel } from '../../lib/index.js';
import { fixture } from '../helpers.js';
import { type Refusal, testRefusals } from './refusals.js';

const four = new Float32Array(4);
const two = new Float32Array(2);
const affine = 'affine.onnx'; // x float32 [batch, 4]
const pair = 'two_inputs.onnx'; // a float32 [batch, 2], b int64 [batch, 3]
const open = 'free_axes.onnx'; // x float32 [batch, length]
const fixed = 'fixed_batch.onnx'; // x float32 [2, 3]
const scalar = 'scalar.onnx'; // x float32 []

/** A tensor of affine.onnx with this shape. */
function shaped(name: string, shape: unknown, says: string, data: unknown = four): Refusal {
  return { name, model: affine, inputs: { x: { shape, data } }, says };
}

const largest = 'an integer from 0 to 2147483647';
const cases: readonly Refusal[] = [
  // Sizes
  {
    name: 'part of a row',
    model: affine,
    inputs: { x: new Float32Array(5) },
    says: 'input "x": expected a multiple of 4 elements for float32 [-1, 4], got 5',
  },
  {
    name: 'too few for a fixed shape',
    model: fixed,
    inputs: { x: new Float32Array(3) },
    says: 'input "x": expected 6 elements for float32 [2, 3], got 3',
  },
  {
    name: 'two for a scalar',
    model: scalar,
    inputs: { x: two },
    says: 'input "x": expected 1 elements for float32 [], got 2',
  },
  {
    name: 'none for a scalar',
    model: scalar,
    inputs: { x: new Float32Array() },
    says: 'input "x": expected 1 elements for float32 [], got 0',
  },
  {
    name: 'an open shape',
    model: open,
    inputs: { x: four },
    says: 'input "x": expected { shape, data }, because float32 [-1, -1] leaves several shapes open, got only data',
  },
  {
    name: 'rows that disagree',
    model: pair,
    inputs: { a: four, b: new BigInt64Array(9) },
    says: 'input "b": expected 2 rows as in "a", got 3 rows',
  },
  // Shapes
  shaped(
    'a shape that is no array',
    '1,4',
    'input "x": expected shape to be an array of integers, got "1,4"',
  ),
  shaped('a null shape', null, 'input "x": expected shape to be an array of integers, got null'),
  shaped('a typed array as shape', new Int32Array([1, 4]), 'got Int32Array'),
  shaped('too few axes', [4], 'input "x": expected shape of 2 axes (float32 [-1, 4]), got 1 axes'),
  shaped('too many axes', [1, 1, 4], 'got 3 axes'),
  shaped('no axes', [], 'got 0 axes'),
  shaped(
    'another fixed axis',
    [2, 2],
    'input "x": expected shape[1] to be 4 (float32 [-1, 4]), got 2',
  ),
  shaped('a negative axis', [-1, 4], `input "x": expected shape[0] to be ${largest}, got -1`),
  shaped('a fractional axis', [0.5, 4], `input "x": expected shape[0] to be ${largest}, got 0.5`),
  shaped('NaN as axis', [Number.NaN, 4], `input "x": expected shape[0] to be ${largest}, got NaN`),
  shaped('Infinity as axis', [Number.POSITIVE_INFINITY, 4], `${largest}, got Infinity`),
  shaped('1e30 as axis', [1e30, 4], `${largest}, got 1e+30`),
  shaped('2^31 as axis', [2 ** 31, 4], `${largest}, got 2147483648`),
  shaped('a string as axis', ['1', 4], `${largest}, got "1"`),
  shaped('a bigint as axis', [1n, 4], `${largest}, got 1n`),
  shaped('null as axis', [null, 4], `${largest}, got null`),
  shaped('a hole as axis', new Array(2), `${largest}, got undefined`),
  shaped(
    'a product that overflows',
    [2 ** 31 - 1, 4],
    'input "x": expected 8589934588 elements for shape [2147483647, 4], got 4',
  ),
  shaped('one row too many', [2, 4], 'input "x": expected 8 elements for shape [2, 4], got 4'),
  shaped('one row too few', [0, 4], 'input "x": expected 0 elements for shape [0, 4], got 4'),
  {
    name: 'undefined data',
    model: affine,
    inputs: { x: { shape: [1, 4], data: undefined } },
    says: 'input "x": expected Float32Array (float32), got undefined',
  },
  shaped('null data', [1, 4], 'input "x": expected Float32Array (float32), got null', null),
  {
    name: 'huge axes without elements',
    model: open,
    inputs: { x: { shape: [0, 2 ** 62], data: new Float32Array() } },
    says: `shape[1] to be ${largest}`,
  },
];

testRefusals(cases);

t.test('more rows than limits.maxRows are refused, as many are not', async t => {
  const model = await loadModel(fixture(affine), { limits: { maxRows: 2 } });
  t.teardown(() => model.close());
  t.equal(model.info.limits.maxRows, 2);
  await t.resolves(model.predict({ x: new Float32Array(8) }));
  await t.rejects(model.predict({ x: new Float32Array(12) }), {
    code: 'INFER_BAD_INPUT',
    message: 'input "x": expected at most 2 rows (limits.maxRows), got 3 rows',
  });
});
