// SPDX-License-Identifier: Apache-2.0
// Bodies that are files of arrays, or one text -> the inputs of a model.
import { isUtf8 } from 'node:buffer';
import type { ModelInfo, TensorInput, TensorSpec } from '../../lib/index.js';
import { toInput } from './arrays.js';
import { badInput, quote, quoteAll, specText } from './describe.js';
import { readNpy } from './npy.js';
import { readNpz } from './npz.js';
import { isSparse, toDense } from './sparse.js';

export type Inputs = Readonly<Record<string, TensorInput>>;

function only({ signature }: ModelInfo): TensorSpec {
  const [spec] = signature.inputs;
  if (spec === undefined) throw new Error('a model without inputs');
  return spec;
}

/** The only input as an NPY file. */
export async function readNpyBody(bytes: Buffer, info: ModelInfo): Promise<Inputs> {
  const spec = only(info);
  return { [spec.name]: await toInput(readNpy(bytes, 'body'), spec, 'body') };
}

/** The inputs as an NPZ file, by name; the only one also as a sparse matrix, or under any name. */
export async function readNpzBody(
  bytes: Buffer,
  { name: model, signature }: ModelInfo,
  maxBytes: number,
): Promise<Inputs> {
  const arrays = await readNpz(bytes, maxBytes);
  const [first, ...others] = signature.inputs;
  const isAlone = first !== undefined && others.length === 0;
  if (isAlone && !arrays.has(first.name) && isSparse(arrays)) {
    return { [first.name]: await toInput(await toDense(arrays), first, 'body') };
  }
  const inputs: [string, TensorInput][] = [];
  for (const [name, array] of arrays) {
    const spec =
      isAlone && arrays.size === 1 ? first : signature.inputs.find(own => own.name === name);
    if (spec === undefined) {
      const names = quoteAll(signature.inputs.map(own => own.name));
      throw badInput(
        'body',
        `arrays named as the inputs ${names} of model ${quote(model)}`,
        quote(name),
      );
    }
    inputs.push([spec.name, await toInput(array, spec, `entry ${quote(`${name}.npy`)}`)]);
  }
  return Object.fromEntries(inputs);
}

/** Whether one text is all that the model needs. */
export function takesText({ signature }: ModelInfo): boolean {
  const [spec, ...others] = signature.inputs;
  const isText = spec?.type === 'string' && others.length === 0;
  return isText && spec.shape.every(size => size < 0 || size === 1);
}

/** The whole body as the only element of the only input. */
export function readTextBody(bytes: Buffer, info: ModelInfo): Inputs {
  const spec = only(info);
  if (!isUtf8(bytes)) throw badInput('body', `UTF-8 for ${specText(spec)}`, 'other bytes');
  return { [spec.name]: { shape: spec.shape.map(() => 1), data: [bytes.toString('utf8')] } };
}
