// SPDX-License-Identifier: Apache-2.0
// Checks what scale() of a model is asked for.
import { describe, InferenceError } from './errors.js';
import { checkOptions } from './schema.js';

/** Where scale() puts a model: exactly one of the two. Ranges: `placement` in docs/options.md. */
export interface Scaling {
  readonly lanes?: number | undefined;
  readonly cores?: readonly number[] | undefined;
}

const label = 'scale()';

/**
 * Checks the argument of scale().
 * @param value  anything.
 * @returns      what the addon takes: `lanes` is 0 where there are `cores`.
 * @throws       INFER_BAD_INPUT.
 */
export async function readScaling(
  value: unknown,
): Promise<{ readonly lanes: number; readonly cores: readonly number[] }> {
  if (typeof value !== 'object' || value === null) throw badScaling(describe(value));
  const { lanes, cores, ...others } = value as Scaling;
  const unknown = Object.keys(others)[0];
  if (unknown !== undefined) throw badScaling(`the key ${describe(unknown)}`);
  if ((lanes === undefined) === (cores === undefined)) {
    throw badScaling(lanes === undefined ? 'neither' : 'both');
  }
  const wanted =
    lanes === undefined ? { cores: Array.isArray(cores) ? [...cores] : cores } : { lanes };
  const source = { label, code: 'INFER_BAD_INPUT', caller: true } as const;
  const { placement } = await checkOptions({ placement: wanted }, source);
  return { lanes: placement?.lanes ?? 0, cores: placement?.cores ?? [] };
}

function badScaling(got: string): InferenceError {
  return new InferenceError(
    'INFER_BAD_INPUT',
    `${label}: expected an object with one of "lanes" and "cores", got ${got}`,
  );
}
