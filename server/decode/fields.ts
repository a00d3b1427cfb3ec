// SPDX-License-Identifier: Apache-2.0
// Named values of a request: the parts of a form and the pairs of a query, and those of them that a model takes.
import type { ModelInfo, TensorSpec } from '../../lib/index.js';
import { badInput, quote, quoteAll } from './describe.js';
import { type Part, readParts } from './multipart.js';

/** By name; of several with one name the last, as in MMS. */
export type Fields = ReadonlyMap<string, Part>;

const urlencoded = 'application/x-www-form-urlencoded';

/** @param type  a content type without parameters, in lower case. */
export function isForm(type: string): boolean {
  return type === 'multipart/form-data' || type === urlencoded;
}

/** `curl -d '{...}'` says that it sends a form. One never begins like this: forms encode brackets and braces. */
export function isMislabelledJson(type: string, body: Buffer): boolean {
  return type === urlencoded && /^[ \t\r\n]*[[{]/.test(body.toString('latin1', 0, 64));
}

/**
 * @param contentType  one of a form, with its parameters.
 * @throws             INFER_BAD_INPUT for a form that is damaged or has more than 100 fields.
 */
export async function readForm(body: Buffer, contentType: string): Promise<Fields> {
  const isPairs = contentType.trim().toLowerCase().startsWith(urlencoded);
  return isPairs ? readPairs(body, 'body') : readParts(body, contentType);
}

/** @param query  as sent, without the question mark. */
export function readQuery(query: string): Fields {
  return readPairs(Buffer.from(query), 'query');
}

const mostPairs = 100;

/** Values stay bytes: what is percent-encoded need not be text. */
function readPairs(pairs: Buffer, where: string): Fields {
  const fields = new Map<string, Part>();
  let count = 0;
  for (let start = 0, end = 0; start < pairs.length; start = end + 1) {
    end = start;
    if (pairs[start] === 0x26) continue; // looked at here: a search for each of millions would take long
    end = indexOf(pairs, '&', start);
    if (++count > mostPairs) throw badInput(where, `at most ${mostPairs} fields`, 'more');
    const pair = pairs.subarray(start, end);
    const at = indexOf(pair, '=', 0);
    const name = decodePercent(pair.subarray(0, at)).toString();
    fields.set(name, { contentType: '', bytes: decodePercent(pair.subarray(at + 1)) });
  }
  return fields;
}

/** The end where there is none. */
function indexOf(bytes: Buffer, sign: string, start: number): number {
  const index = bytes.indexOf(sign, start);
  return index < 0 ? bytes.length : index;
}

/** What is no percent sign with two digits stays as it is. */
function decodePercent(encoded: Buffer): Buffer {
  if (!encoded.includes(0x25) && !encoded.includes(0x2b)) return encoded;
  const decoded = Buffer.alloc(encoded.length);
  let length = 0;
  for (let index = 0; index < encoded.length; index++) {
    const byte = encoded[index] ?? 0;
    const value = byte === 0x25 ? hexAt(encoded, index + 1) : -1;
    if (value >= 0) index += 2;
    decoded[length++] = value >= 0 ? value : byte === 0x2b ? 0x20 : byte;
  }
  return decoded.subarray(0, length);
}

/** -1 unless there are two digits. */
function hexAt(bytes: Buffer, index: number): number {
  const high = digitOf(bytes[index]);
  const low = digitOf(bytes[index + 1]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function digitOf(code = 0): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** The text of a field; undefined when there is none. */
export function textOf(fields: Fields, name: string): string | undefined {
  return fields.get(name)?.bytes.toString();
}

/** `over` laid over `under`. */
export function joinFields(under: Fields | undefined, over: Fields): Fields {
  return under === undefined ? over : new Map([...under, ...over]);
}

/** Names that stand for the whole input, in the order in which MMS looks. */
function usualNames({ signature }: ModelInfo): string[] {
  return [...new Set([signature.inputs[0]?.name ?? '', 'body', 'data'])];
}

/** Whether the model would look at any of them. */
export function concern(fields: Fields, info: ModelInfo): boolean {
  return (
    usualNames(info).some(name => fields.has(name)) ||
    info.signature.inputs.some(({ name }) => fields.has(name))
  );
}

/** The inputs that have a field of their own; of one field alone MMS's order decides. */
export function namedInputs(fields: Fields, { signature }: ModelInfo): readonly TensorSpec[] {
  const named = signature.inputs.filter(({ name }) => fields.has(name));
  return named.length > 1 ? named : [];
}

/** @throws  INFER_BAD_INPUT that lists the names when none of them is there. */
export function pickField(fields: Fields, info: ModelInfo): [name: string, field: Part] {
  const names = usualNames(info);
  for (const name of names) {
    const field = fields.get(name);
    if (field !== undefined) return [name, field];
  }
  const got = `the fields ${quoteAll([...fields.keys()])}`;
  throw badInput('body', `a field named one of ${quoteAll(names)}`, got);
}

/** @throws  INFER_BAD_INPUT when there is none of that name. */
export function fieldOf(fields: Fields, { name }: TensorSpec, expected: string): Part {
  const field = fields.get(name);
  if (field !== undefined) return field;
  const got = `the fields ${quoteAll([...fields.keys()])}`;
  throw badInput('body', `a field ${quote(name)} with ${expected}`, got);
}
