// SPDX-License-Identifier: Apache-2.0
// Checks the inputs of predict() against a plan that is made once per model, and infers shapes.
import { describe, InferenceError, quote, quoteAll } from './errors.js';
import {
  arrayTag,
  elementTypes,
  isDetached,
  maxAxisSize,
  type NumericData,
  shapeText,
  specText,
  type TensorData,
  type TensorSpec,
  widenInt32,
} from './tensor.js';

/** A tensor as a caller may give it: what is left out follows from the signature. */
export interface TensorInput {
  readonly type?: TensorSpec['type'] | undefined;
  readonly shape?: readonly number[] | undefined;
  readonly data: TensorData;
}

/** What predict() takes: a tensor, or only its elements, for every input name. */
export type Inputs = Readonly<Record<string, TensorData | TensorInput>>;

/** What the addon takes for one input; undefined for one that it makes. */
export type NativeData = NumericData | readonly string[] | undefined;

/** One input with everything that does not change from call to call worked out. */
interface InputPlan {
  readonly spec: TensorSpec;
  /** Class name of the right array; undefined for strings. */
  readonly tag: string | undefined;
  /** Index of the only free axis; `noAxis` or `severalAxes` otherwise. */
  readonly freeAxis: number;
  /** Product of the fixed axes. */
  readonly fixedSize: number;
  /** Whether a caller may leave it out. */
  readonly optional: boolean;
}

/** All inputs of a model. */
export interface InputsPlan {
  readonly inputs: readonly InputPlan[];
  readonly maxRows: number;
  /** The option that `maxRows` comes from. */
  readonly maxRowsKey: string;
  /** Axis 0 of every input is the same batch axis. */
  readonly batchable: boolean;
}

const noAxis = -1;
const severalAxes = -2;

/**
 * Works out once what readInputs() needs for every call.
 * @param specs   the inputs of the signature, in order.
 * @param limits  `maxRows`: the most rows of one request, Infinity for no limit; `maxRowsKey`: the option that says so; `batchable`: whether axis 0
 *                is the same batch axis for all inputs; `optional`: names of inputs that may be left out.
 */
export function planInputs(
  specs: readonly TensorSpec[],
  limits: Omit<InputsPlan, 'inputs'> & { readonly optional: readonly string[] },
): InputsPlan {
  const { optional, ...rest } = limits;
  return { ...rest, inputs: specs.map(spec => planInput(spec, optional.includes(spec.name))) };
}

function planInput(spec: TensorSpec, optional: boolean): InputPlan {
  const free = spec.shape.flatMap((size, axis) => (size < 0 ? [axis] : []));
  return {
    spec,
    tag: elementTypes[spec.type].array?.name,
    freeAxis: free.length > 1 ? severalAxes : (free[0] ?? noAxis),
    optional,
    fixedSize: spec.shape.reduce((product, size) => (size < 0 ? product : product * size), 1),
  };
}

/**
 * Checks one call's inputs and writes them in the form the addon takes.
 * @param plan    of the model.
 * @param values  what the caller gave; only its own properties count.
 * @param data    receives one array per input, in signature order.
 * @param shapes  receives for each input its rank, then its axes.
 * @throws        INFER_BAD_INPUT naming the input, what was expected and what came.
 */
export function readInputs(
  plan: InputsPlan,
  values: unknown,
  data: NativeData[],
  shapes: number[],
): void {
  const given = checkNames(plan, values);
  let rowsOfFirst = -1;
  for (const input of plan.inputs) {
    const start = shapes.length;
    if (input.optional && !Object.hasOwn(given, input.spec.name)) {
      data.push(undefined);
      shapes.push(0);
      continue;
    }
    readTensor(input, given[input.spec.name], data, shapes);
    if (input.spec.shape[0] !== -1) continue;
    const rows = shapes[start + 1] ?? 0;
    if (rows > plan.maxRows) {
      throw wrong(input, `at most ${plan.maxRows} rows (${plan.maxRowsKey})`, `${rows} rows`);
    }
    if (!plan.batchable) continue;
    if (rowsOfFirst >= 0 && rows !== rowsOfFirst) {
      const first = quote(plan.inputs[0]?.spec.name ?? '');
      throw wrong(input, `${rowsOfFirst} rows as in ${first}`, `${rows} rows`);
    }
    rowsOfFirst = rows;
  }
}

/** Exactly the names of the signature, as own properties of a plain object. */
function checkNames(plan: InputsPlan, values: unknown): Record<string, unknown> {
  if (typeof values !== 'object' || values === null || ArrayBuffer.isView(values)) {
    throw notNamed(plan, values);
  }
  if (Array.isArray(values)) throw notNamed(plan, values);
  let found = 0;
  let absent = 0;
  for (const { spec, optional } of plan.inputs) {
    if (Object.hasOwn(values, spec.name)) found++;
    else if (optional) absent++;
  }
  if (found + absent !== plan.inputs.length || Object.keys(values).length !== found) {
    throw wrongNames(plan, values);
  }
  return values as Record<string, unknown>;
}

function namesOf(plan: InputsPlan): string[] {
  return plan.inputs.map(input => input.spec.name);
}

function notNamed(plan: InputsPlan, values: unknown): InferenceError {
  const got = arrayTag(values) ?? describe(values);
  return new InferenceError(
    'INFER_BAD_INPUT',
    `inputs: expected an object with ${quoteAll(namesOf(plan))}, got ${got}`,
  );
}

function wrongNames(plan: InputsPlan, values: object): InferenceError {
  const known = namesOf(plan);
  const missing = plan.inputs.find(
    ({ spec, optional }) => !optional && !Object.hasOwn(values, spec.name),
  )?.spec.name;
  const extra = Object.keys(values).find(name => !known.includes(name));
  const text =
    missing === undefined
      ? `input ${quote(extra ?? '')}: the model has no such input`
      : `input ${quote(missing)}: missing`;
  return new InferenceError('INFER_BAD_INPUT', `${text}; its inputs are ${quoteAll(known)}`);
}

function wrong(input: InputPlan, expected: string, got: string): InferenceError {
  return new InferenceError(
    'INFER_BAD_INPUT',
    `input ${quote(input.spec.name)}: expected ${expected}, got ${got}`,
  );
}

function readTensor(input: InputPlan, value: unknown, data: NativeData[], shapes: number[]): void {
  if (arrayTag(value) !== undefined || Array.isArray(value)) {
    const elements = readData(input, value);
    inferShape(input, elements.length, shapes);
    data.push(elements);
    return;
  }
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'data')) {
    throw wrong(input, `${arrayName(input)} or { shape, data }`, describe(value));
  }
  readRecord(input, value, data, shapes);
}

/** Reads `{ type?, shape?, data }`. */
function readRecord(input: InputPlan, value: object, data: NativeData[], shapes: number[]): void {
  for (const key of Object.keys(value)) {
    if (key !== 'type' && key !== 'shape' && key !== 'data') {
      throw wrong(input, 'only the keys "type", "shape", "data"', quote(key));
    }
  }
  const own = (key: string): unknown =>
    Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
  const type = own('type');
  if (type !== undefined && type !== input.spec.type) {
    throw wrong(input, `type "${input.spec.type}"`, describe(type));
  }
  const elements = readData(input, own('data'));
  const shape = own('shape');
  if (shape === undefined) inferShape(input, elements.length, shapes);
  else readShape(input, shape, elements.length, shapes);
  data.push(elements);
}

/** The elements, in the class that the addon takes for the type. */
function readData(input: InputPlan, value: unknown): NumericData | readonly string[] {
  const { type } = input.spec;
  const tag = arrayTag(value);
  if (type === 'string' && Array.isArray(value)) return checkStrings(input, value);
  if (tag === undefined) throw wrong(input, arrayName(input), describe(value));
  const view = value as NumericData;
  const length = view.length;
  if (length === 0 && isDetached(view)) {
    throw wrong(input, 'a buffer that is still attached', `${tag} of a transferred buffer`);
  }
  if (tag === input.tag) {
    if (type === 'bool') checkBooleans(input, view as Uint8Array);
    return view;
  }
  if (type === 'int64' && tag === 'Int32Array') return widenInt32(view as Int32Array);
  if (type === 'float16' && tag === 'Float16Array') {
    return new Uint16Array(view.buffer, view.byteOffset, length);
  }
  throw wrong(input, arrayName(input), tag);
}

/** `Float32Array (float32)`: the array class a caller should give. */
function arrayName({ spec, tag }: InputPlan): string {
  return tag === undefined ? 'an array of strings (string)' : `${tag} (${spec.type})`;
}

/** A plain copy: each element is read once, because a getter or Proxy may run code of the caller's. */
function checkStrings(input: InputPlan, values: readonly unknown[]): readonly string[] {
  const strings: string[] = [];
  const { length } = values;
  for (let index = 0; index < length; index++) {
    const value = values[index];
    if (typeof value !== 'string') {
      throw wrong(input, 'an array of strings (string)', `${describe(value)} at index ${index}`);
    }
    strings.push(value);
  }
  return strings;
}

function checkBooleans(input: InputPlan, values: Uint8Array): void {
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? 0;
    if (value > 1) throw wrong(input, '0 or 1 (bool)', `${value} at index ${index}`);
  }
}

/** Appends the shape that `length` elements have when at most one axis is free. */
function inferShape(input: InputPlan, length: number, shapes: number[]): void {
  const { spec, freeAxis, fixedSize } = input;
  if (freeAxis === noAxis && length !== fixedSize) {
    throw wrong(input, `${fixedSize} elements for ${specText(spec)}`, `${length}`);
  }
  if (freeAxis === severalAxes || (freeAxis >= 0 && fixedSize === 0)) {
    throw wrong(
      input,
      `{ shape, data }, because ${specText(spec)} leaves several shapes open`,
      'only data',
    );
  }
  const free = length / fixedSize;
  if (freeAxis >= 0 && (!Number.isInteger(free) || free > maxAxisSize)) {
    throw wrong(input, `a multiple of ${fixedSize} elements for ${specText(spec)}`, `${length}`);
  }
  shapes.push(spec.shape.length);
  for (let axis = 0; axis < spec.shape.length; axis++) {
    shapes.push(axis === freeAxis ? free : (spec.shape[axis] ?? 0));
  }
}

/** Checks a given shape against the signature and the number of elements, and appends it. */
function readShape(input: InputPlan, shape: unknown, length: number, shapes: number[]): void {
  const { spec } = input;
  if (!Array.isArray(shape))
    throw wrong(input, 'shape to be an array of integers', describe(shape));
  if (shape.length !== spec.shape.length) {
    const got = `${shape.length} axes`;
    throw wrong(input, `shape of ${spec.shape.length} axes (${specText(spec)})`, got);
  }
  shapes.push(shape.length);
  let size = 1;
  for (let axis = 0; axis < spec.shape.length; axis++) {
    const given: unknown = shape[axis];
    const fixed = spec.shape[axis] ?? -1;
    if (typeof given !== 'number' || !Number.isInteger(given) || given < 0 || given > maxAxisSize) {
      throw wrong(
        input,
        `shape[${axis}] to be an integer from 0 to ${maxAxisSize}`,
        describe(given),
      );
    }
    if (fixed >= 0 && given !== fixed) {
      throw wrong(input, `shape[${axis}] to be ${fixed} (${specText(spec)})`, `${given}`);
    }
    size *= given;
    shapes.push(given);
  }
  if (size !== length) {
    throw wrong(input, `${size} elements for shape ${shapeText(shape)}`, `${length}`);
  }
}
