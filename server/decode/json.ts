// SPDX-License-Identifier: Apache-2.0
// JSON bytes -> JSON value, with a limit on nesting and messages that say where the text goes wrong.
import { isUtf8 } from 'node:buffer';
import type { InferenceError } from '../../lib/index.js';
import { badInput, quote } from './describe.js';
import { firstMistake } from './json_mistake.js';

/** Deepest nesting of arrays and objects; the same as Triton's, far above any tensor's rank. */
const maxDepth = 100;

/**
 * Parses a JSON body.
 * @param body  UTF-8, any size; a byte order mark is not accepted, as RFC 8259 allows.
 * @throws      INFER_BAD_INPUT for an empty body, bytes that are not UTF-8, nesting beyond 100 and text that is
 *              not JSON. `NaN` and `Infinity` are not JSON.
 */
export function parseJson(body: Buffer): unknown {
  if (body.length === 0) throw badInput('body', 'JSON', 'no bytes');
  if (!isUtf8(body)) throw badInput('body', 'JSON in UTF-8', 'bytes that are not UTF-8');
  checkDepth(body);
  const text = body.toString('utf8');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw syntaxError(text, error);
  }
}

const quoteByte = 0x22;
const backslash = 0x5c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Looks at brackets outside of strings only, before anything is allocated for them. */
function checkDepth(body: Buffer): void {
  let depth = 0;
  for (let index = 0; index < body.length; index++) {
    const byte = body[index];
    if (byte === quoteByte) {
      index = endOfString(body, index);
    } else if (byte === openBracket || byte === openBrace) {
      depth++;
      if (depth > maxDepth) {
        throw badInput('body', `at most ${maxDepth} levels of nesting`, `more at byte ${index}`);
      }
    } else if (byte === closeBracket || byte === closeBrace) {
      depth--;
    }
  }
}

/** Index of the quote that ends the string that begins at `start`; the length when none does. */
function endOfString(body: Buffer, start: number): number {
  let index = start + 1;
  while (index < body.length && body[index] !== quoteByte)
    index += body[index] === backslash ? 2 : 1;
  return index;
}

/** A longer text is not searched: finding the place costs as much as parsing. */
const longestSearched = 2 ** 20;

function syntaxError(text: string, error: unknown): InferenceError {
  if (text.length > longestSearched) {
    return badInput('body', 'JSON', error instanceof Error ? error.message : String(error));
  }
  const offset = firstMistake(text);
  const rest = text.slice(offset, offset + 20);
  const got = offset < text.length ? quote(rest) : 'the end of the text';
  const word = /^-?(NaN|Infinity)\b/.test(rest) ? ' (JSON has no NaN and no Infinity)' : '';
  return badInput('body', 'JSON', `${got} at position ${offset}${word}`);
}
