// SPDX-License-Identifier: Apache-2.0
// The small JSON bodies of everything but predictions.
import { isUtf8 } from 'node:buffer';
import { badInput, describe } from '../../decode/describe.js';

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** As in the bodies of predictions, native/codec/cursor.h. */
const maxDepth = 100;

/** @returns  an empty object for an empty body. @throws  INFER_BAD_INPUT for what is no JSON object. */
export function readObject(body: Buffer): JsonObject {
  if (body.length === 0) return {};
  if (!isUtf8(body)) throw badInput('body', 'JSON in UTF-8', 'bytes that are not UTF-8');
  return parseObject(body.toString('utf8'), 'body');
}

/** @param where  what messages call it. @throws  INFER_BAD_INPUT. */
export function parseObject(text: string, where: string): JsonObject {
  if (depthOf(text) > maxDepth) {
    throw badInput(where, `at most ${maxDepth} levels of nesting`, 'more');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw badInput(where, 'a JSON object', error instanceof Error ? error.message : String(error));
  }
  if (!isObject(value)) throw badInput(where, 'a JSON object', describe(value));
  return value;
}

/** How deep brackets are open at most, those in texts left out; of any text, in one pass: an expression would go back. */
function depthOf(text: string): number {
  let open = 0;
  let deepest = 0;
  let isInText = false;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (sign === '"') isInText = !isInText;
    else if (isInText) at += sign === '\\' ? 1 : 0;
    else if (sign === '[' || sign === '{') deepest = Math.max(deepest, ++open);
    else if (sign === ']' || sign === '}') open--;
  }
  return deepest;
}

/** A member of parameters. @throws  INFER_BAD_INPUT when it is no object. */
export function parametersOf(body: JsonObject): JsonObject {
  const { parameters = {} } = body;
  if (!isObject(parameters)) throw badInput('parameters', 'an object', describe(parameters));
  return parameters;
}
