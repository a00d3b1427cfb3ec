// SPDX-License-Identifier: Apache-2.0
// Tensors as JSON in the form of the Open Inference Protocol (KServe V2), both ways.
import {
  type ElementType,
  InferenceError,
  type ModelInfo,
  type TensorSpec,
} from '../../../lib/index.js';
import { badInput, describe, quote, quoteAll, specText } from '../../decode/describe.js';
import { isObject, type JsonObject, own } from '../../decode/object.js';
import { placeAt, readShaped } from '../../decode/tensor.js';
import type { FormRequest, Inputs, JsonForm, Outputs } from '../../route.js';
import { flatText } from '../../tensor_text.js';

/** @source Open Inference Protocol, "Tensor Data Types"; BF16 as Triton's clients use it. */
export const datatypes: { readonly [T in ElementType]: string } = {
  bool: 'BOOL',
  uint8: 'UINT8',
  uint16: 'UINT16',
  uint32: 'UINT32',
  uint64: 'UINT64',
  int8: 'INT8',
  int16: 'INT16',
  int32: 'INT32',
  int64: 'INT64',
  float16: 'FP16',
  bfloat16: 'BF16',
  float32: 'FP32',
  float64: 'FP64',
  string: 'BYTES',
};

/** The form as other protocols may take it. */
export const v2Form: JsonForm = {
  expected: '{"inputs": [...]} as in the Open Inference Protocol',
  matches: body => isObject(body) && own(body, 'inputs') !== undefined,
  read: readRequest,
};

function readRequest(body: unknown, info: ModelInfo, sizeBytes: number): FormRequest {
  if (!isObject(body)) throw badInput('body', 'an object', describe(body));
  const id = own(body, 'id');
  if (id !== undefined && typeof id !== 'string') throw badInput('id', 'a string', describe(id));
  refuseParameters(body, '', ['binary_data_output']);
  const inputs = readInputs(own(body, 'inputs'), info, sizeBytes);
  const names = readOutputNames(own(body, 'outputs'), info);
  return { inputs, answered: names, write: outputs => writeResponse(outputs, { id, info, names }) };
}

/** Options that change the meaning of the bytes must not be passed over in silence. */
function refuseParameters(owner: JsonObject, path: string, names: readonly string[]): void {
  const parameters = own(owner, 'parameters');
  if (parameters === undefined) return;
  const where = `${path}parameters`;
  if (!isObject(parameters)) throw badInput(where, 'an object', describe(parameters));
  for (const name of names) {
    const value = own(parameters, name);
    if (value !== undefined && value !== false && value !== 0) {
      throw badInput(
        `${where}.${name}`,
        'none, because tensors travel as JSON here',
        describe(value),
      );
    }
  }
}

function readInputs(value: unknown, info: ModelInfo, sizeBytes: number): Inputs {
  if (!Array.isArray(value)) throw badInput('inputs', 'an array of tensors', describe(value));
  const specs = info.signature.inputs;
  const inputs = new Map<string, Inputs[string]>();
  for (const [index, entry] of value.entries()) {
    const path = `inputs[${index}]`;
    if (!isObject(entry)) throw badInput(path, 'an object', describe(entry));
    const spec = findSpec(own(entry, 'name'), specs, { path, kind: 'input', info });
    if (inputs.has(spec.name)) {
      throw badInput(`${path}.name`, 'each input once', `${quote(spec.name)} again`);
    }
    inputs.set(spec.name, readInput(entry, spec, { path, sizeBytes }));
  }
  const missing = specs.filter(({ name }) => !inputs.has(name));
  if (missing.length > 0) {
    const expected = `all inputs of model ${quote(info.name)}`;
    throw badInput('inputs', expected, `none named ${quoteAll(missing.map(({ name }) => name))}`);
  }
  return Object.fromEntries(inputs);
}

interface NamePlace {
  readonly path: string;
  readonly kind: 'input' | 'output';
  readonly info: ModelInfo;
}

function findSpec(name: unknown, specs: readonly TensorSpec[], place: NamePlace): TensorSpec {
  const spec = specs.find(known => known.name === name);
  if (spec !== undefined) return spec;
  const known = quoteAll(specs.map(entry => entry.name));
  const expected = `an ${place.kind} of model ${quote(place.info.name)} (${known})`;
  throw badInput(`${place.path}.name`, expected, describe(name));
}

interface InputPlace {
  readonly path: string;
  readonly sizeBytes: number;
}

function readInput(
  entry: JsonObject,
  spec: TensorSpec,
  { path, sizeBytes }: InputPlace,
): Inputs[string] {
  const datatype = own(entry, 'datatype');
  if (datatype !== datatypes[spec.type]) {
    const expected = `"${datatypes[spec.type]}" for ${specText(spec)}`;
    throw badInput(`${path}.datatype`, expected, describe(datatype));
  }
  refuseParameters(entry, `${path}.`, ['binary_data_size', 'shared_memory_region']);
  const shape = readShape(own(entry, 'shape'), spec, { path: `${path}.shape`, sizeBytes });
  const place = placeAt(`${path}.data`, sizeBytes);
  return readShaped(own(entry, 'data'), shape, { spec, place });
}

/** The largest axis the library takes. */
const maxAxisSize = 2 ** 31 - 1;

/** An axis longer than the body has bytes is a lie, also where an empty axis beside it makes the tensor empty. */
function readShape(value: unknown, spec: TensorSpec, { path, sizeBytes }: InputPlace): number[] {
  if (!Array.isArray(value)) throw badInput(path, 'an array of integers', describe(value));
  if (value.length !== spec.shape.length) {
    throw badInput(path, `${spec.shape.length} axes for ${specText(spec)}`, `${value.length}`);
  }
  return value.map((size: unknown, axis) => {
    const fixed = spec.shape[axis] ?? -1;
    const where = `${path}[${axis}]`;
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > maxAxisSize) {
      throw badInput(where, `an integer from 0 to ${maxAxisSize}`, describe(size));
    }
    if (fixed >= 0 && size !== fixed)
      throw badInput(where, `${fixed} for ${specText(spec)}`, `${size}`);
    if (size > sizeBytes && fixed < 0) {
      throw badInput(where, `at most ${sizeBytes}, the bytes of the body`, `${size}`);
    }
    return size;
  });
}

/** The outputs that were asked for, in that order; all of them when none were named. */
function readOutputNames(value: unknown, info: ModelInfo): string[] {
  const specs = info.signature.outputs;
  if (value === undefined || (Array.isArray(value) && value.length === 0)) {
    return specs.map(({ name }) => name);
  }
  if (!Array.isArray(value)) throw badInput('outputs', 'an array of objects', describe(value));
  const names = new Set<string>();
  for (const [index, entry] of value.entries()) {
    const path = `outputs[${index}]`;
    if (!isObject(entry)) throw badInput(path, 'an object', describe(entry));
    const { name } = findSpec(own(entry, 'name'), specs, { path, kind: 'output', info });
    if (names.has(name)) throw badInput(`${path}.name`, 'each output once', `${quote(name)} again`);
    refuseParameters(entry, `${path}.`, ['binary_data', 'classification', 'shared_memory_region']);
    names.add(name);
  }
  return [...names];
}

interface Answer {
  readonly id: string | undefined;
  readonly info: ModelInfo;
  readonly names: readonly string[];
}

function writeResponse(outputs: Outputs, { id, info, names }: Answer): string {
  const head = [
    `"model_name":${JSON.stringify(info.name)}`,
    `"model_version":${JSON.stringify(info.version)}`,
  ];
  if (id !== undefined && id !== '') head.push(`"id":${JSON.stringify(id)}`);
  const tensors = names.map(name => {
    const tensor = outputs[name];
    if (tensor === undefined)
      throw new InferenceError('INFER_INTERNAL', `output ${quote(name)}: missing`);
    const datatype = datatypes[tensor.type];
    const shape = JSON.stringify(tensor.shape);
    return `{"name":${JSON.stringify(name)},"datatype":"${datatype}","shape":${shape},"data":${flatText(tensor)}}`;
  });
  return `{${head.join(',')},"outputs":[${tensors.join(',')}]}`;
}
