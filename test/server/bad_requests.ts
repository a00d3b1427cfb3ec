// SPDX-License-Identifier: Apache-2.0
// What a row of the tables of bad requests holds: what is sent, and what the answer must say about it.
import type { FormBody } from './helpers.js';

/** One bad request. `says` names the field, what was expected and what came. */
export interface BadRequest {
  readonly name: string;
  /** Of the inference API. */
  readonly path: string;
  readonly says: RegExp;
  readonly method?: string;
  /** Content type; none is sent when it is absent. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | FormBody;
  /** 400 unless given. */
  readonly status?: number;
}

export const json = 'application/json';

/** A JSON body for a model. */
export function row(model: string, body: string | Buffer, says: RegExp): BadRequest {
  const shown = body.toString('latin1', 0, 70).slice(0, 70);
  return {
    name: `${model}: ${JSON.stringify(shown)}`,
    path: `/predictions/${model}`,
    type: json,
    body,
    says,
  };
}
