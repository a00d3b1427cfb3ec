// SPDX-License-Identifier: Apache-2.0
// Several fields, each with the JSON value of one input -> one body in the form of the Open Inference Protocol.
import type { TensorSpec } from '../../lib/index.js';
import { datatypes } from './datatypes.js';
import { badInput, quote } from './describe.js';
import { type Fields, fieldOf } from './fields.js';

/** Reading it for its shape takes the thread some milliseconds. */
const mostJsonBytes = 2 ** 20;

/**
 * Numbers go into it as they are written, so that none loses digits.
 * @param inputs  that have a field each, holding a value nested like the input's shape.
 * @throws        INFER_BAD_INPUT for a field that is no JSON, and for more than a MiB of them.
 */
export function joinJson(fields: Fields, inputs: readonly TensorSpec[]): Buffer {
  const given = inputs.map(spec => fieldOf(fields, spec, 'JSON').bytes.length);
  const total = given.reduce((sum, length) => sum + length, 0);
  if (total > mostJsonBytes) {
    const expected = `at most ${mostJsonBytes} bytes of JSON in fields, as larger inputs go in one JSON body`;
    throw badInput('body', expected, `${total}`);
  }
  const parts = inputs.flatMap((spec, index) => {
    const { bytes } = fieldOf(fields, spec, 'JSON');
    const shape = shapeOf(parse(bytes, spec.name));
    const head = { name: spec.name, datatype: datatypes[spec.type], shape };
    const opening = `${index === 0 ? '' : ','}${JSON.stringify(head).slice(0, -1)},"data":`;
    return [Buffer.from(opening), bytes, Buffer.from('}')];
  });
  return Buffer.concat([Buffer.from('{"inputs":['), ...parts, Buffer.from(']}')]);
}

function parse(bytes: Buffer, name: string): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw badInput(`field ${quote(name)}`, 'JSON', reason);
  }
}

/** By the first element of each axis; whoever reads the values sees whether the others agree. */
function shapeOf(value: unknown): number[] {
  const shape: number[] = [];
  for (let inner = value; Array.isArray(inner); inner = inner[0]) shape.push(inner.length);
  return shape;
}
