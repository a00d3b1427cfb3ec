// SPDX-License-Identifier: Apache-2.0
// What the management API is asked for: named parameters from a query string or from a JSON body.
import { badInput, describe } from '../../decode/describe.js';
import { isObject, parseLoosely } from './loose_json.js';

/**
 * Named values as MMS reads them: of several the first counts, a number that does not parse is as if it were absent,
 * and nothing but `true` (in any case) is true.
 */
export interface Parameters {
  readonly text: (name: string) => string | undefined;
  /** 32 bit, as in MMS. */
  readonly integer: (name: string) => number | undefined;
  readonly flag: (name: string) => boolean | undefined;
}

export function queryParameters(query: string): Parameters {
  const values = new URLSearchParams(query);
  return parametersOf(name => values.get(name) ?? undefined);
}

/**
 * @param body  an object; single quotes and numbers or truth values in quotes are taken as well.
 * @throws      INFER_BAD_INPUT when it is no JSON object, or holds an array or object where a value belongs.
 */
export function jsonParameters(body: Buffer): Parameters {
  const parsed = parseLoosely(body);
  if (!isObject(parsed)) throw badInput('body', 'a JSON object', describe(parsed));
  const values = new Map(
    Object.entries(parsed).flatMap(([key, value]): [string, string][] => {
      if (value === null) return [];
      if (typeof value === 'object')
        throw badInput(key, 'a text, number or boolean', describe(value));
      return [[key, String(value)]];
    }),
  );
  return parametersOf(name => values.get(name));
}

function parametersOf(text: (name: string) => string | undefined): Parameters {
  return {
    text,
    integer: name => integerOf(text(name)),
    flag: name =>
      text(name)?.toLowerCase() === 'true' || (text(name) === undefined ? undefined : false),
  };
}

/** What Java's Integer.parseInt takes. */
export function integerOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^[+-]?\d{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= -(2 ** 31) && value < 2 ** 31 ? value : undefined;
}
