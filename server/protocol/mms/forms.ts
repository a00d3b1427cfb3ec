// SPDX-License-Identifier: Apache-2.0
// Tensors as JSON in the forms of the predictions route: `{"instances": [...]}` and a bare array, both ways.
import type { ModelInfo, Tensor, TensorSpec } from '../../../lib/index.js';
import { badInput, describe, quote, quoteAll } from '../../decode/describe.js';
import { isObject, own } from '../../decode/object.js';
import { placeAt, readNested } from '../../decode/tensor.js';
import type { FormRequest, Inputs, JsonForm, Outputs } from '../../route.js';
import { nestedText, rowTexts } from '../../tensor_text.js';

/** `[[5.1, 3.5, 1.4, 0.2]]` -> `[[0.9, 0.1, 0]]`: the only input, the first output. */
export const arrayForm: JsonForm = {
  expected: 'a nested array',
  matches: Array.isArray,
  read: (body, info, sizeBytes) => {
    const spec = onlyInput(info, 'body', 'objects in {"instances": [...]}');
    const [first] = info.signature.outputs;
    return {
      answered: first === undefined ? [] : [first.name],
      inputs: { [spec.name]: readNested(body, spec, placeAt('body', sizeBytes)) },
      write: outputs => nestedText(outputOf(outputs, first)),
    };
  },
};

/** `{"instances": [row, ...]}` -> `{"predictions": [row, ...]}`, rows as values or as objects by name. */
export const instancesForm: JsonForm = {
  expected: '{"instances": [...]}',
  matches: body => isObject(body) && own(body, 'instances') !== undefined,
  read: readInstances,
};

function readInstances(body: unknown, info: ModelInfo, sizeBytes: number): FormRequest {
  const rows = isObject(body) ? own(body, 'instances') : undefined;
  refuseScalars(info);
  if (!Array.isArray(rows)) throw badInput('instances', 'an array of rows', describe(rows));
  const inputs =
    isObject(rows[0]) || rows.length === 0
      ? readNamedRows(rows, info, sizeBytes)
      : readRows(rows, onlyInput(info, 'instances[0]', 'an object by input name'), sizeBytes);
  const answered = info.signature.outputs.map(({ name }) => name);
  const write = (outputs: Outputs) => {
    const texts = predictions(outputs, info);
    if (texts.length === rows.length) return `{"predictions":[${texts.join(',')}]}`;
    const got = `${texts.length} rows for ${rows.length} instances`;
    throw badInput('instances', 'a model whose outputs have a row for each', got);
  };
  return { inputs, answered, write };
}

function readRows(rows: readonly unknown[], spec: TensorSpec, sizeBytes: number): Inputs {
  return { [spec.name]: readNested(rows, spec, placeAt('instances', sizeBytes)) };
}

function readNamedRows(rows: readonly unknown[], info: ModelInfo, sizeBytes: number): Inputs {
  const specs = info.signature.inputs;
  const known = new Set(specs.map(({ name }) => name));
  for (const [index, row] of rows.entries()) {
    if (!isObject(row))
      throw badInput(`instances[${index}]`, 'an object like the first', describe(row));
    const extra = Object.keys(row).find(name => !known.has(name));
    if (extra !== undefined) {
      const expected = `only inputs of model ${quote(info.name)} (${quoteAll([...known])})`;
      throw badInput(`instances[${index}]`, expected, quote(extra));
    }
  }
  return Object.fromEntries(specs.map(spec => [spec.name, readNamedRow(rows, spec, sizeBytes)]));
}

/** One input out of all rows. */
function readNamedRow(rows: readonly unknown[], spec: TensorSpec, sizeBytes: number) {
  const values = rows.map((row, index) => {
    if (isObject(row) && Object.hasOwn(row, spec.name)) return row[spec.name];
    throw badInput(`instances[${index}]`, `a value for input ${quote(spec.name)}`, 'none');
  });
  const path = ([row, ...rest]: readonly number[]) =>
    `instances[${row ?? 0}].${spec.name}${rest.map(index => `[${index}]`).join('')}`;
  return readNested(values, spec, { path, sizeBytes });
}

function onlyInput(info: ModelInfo, where: string, instead: string): TensorSpec {
  const { inputs } = info.signature;
  const [spec] = inputs;
  if (spec !== undefined && inputs.length === 1) return spec;
  const names = quoteAll(inputs.map(({ name }) => name));
  throw badInput(
    where,
    `${instead}, because model ${quote(info.name)} has the inputs ${names}`,
    'an array',
  );
}

function outputOf(outputs: Outputs, spec: TensorSpec | undefined): Tensor {
  const tensor = spec === undefined ? undefined : outputs[spec.name];
  if (tensor === undefined)
    throw new Error(`output ${quote(spec?.name ?? '')}: missing in the answer`);
  return tensor;
}

function refuseScalars({ signature }: ModelInfo): void {
  const scalar = signature.outputs.find(({ shape }) => shape.length === 0);
  if (scalar === undefined) return;
  const got = `${quote(scalar.name)} without an axis`;
  throw badInput('instances', 'a model whose outputs have an entry for each row', got);
}

/** One JSON text per row: the value of the only output, else an object of all. */
function predictions(outputs: Outputs, info: ModelInfo): string[] {
  const specs = info.signature.outputs;
  const columns = specs.map(spec => ({
    name: spec.name,
    rows: rowTexts(outputOf(outputs, spec)),
  }));
  const [first] = columns;
  if (first === undefined || columns.length === 1) return first?.rows ?? [];
  if (columns.some(({ rows }) => rows.length !== first.rows.length)) {
    throw badInput(
      'instances',
      'a model whose outputs have the same number of rows',
      quote(info.name),
    );
  }
  return first.rows.map((_, row) => {
    const members = columns.map(({ name, rows }) => `${JSON.stringify(name)}:${rows[row]}`);
    return `{${members.join(',')}}`;
  });
}
