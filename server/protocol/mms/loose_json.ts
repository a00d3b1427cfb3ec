// SPDX-License-Identifier: Apache-2.0
// JSON as the clients of MMS write it: also with single quotes around texts and keys.
import { isUtf8 } from 'node:buffer';
import { badInput } from '../../decode/describe.js';

/** @throws  INFER_BAD_INPUT for anything else. */
export function parseLoosely(body: Buffer): unknown {
  if (!isUtf8(body)) throw badInput('body', 'JSON in UTF-8', 'bytes that are not UTF-8');
  const text = body.toString('utf8');
  try {
    return JSON.parse(text.includes("'") ? doubleQuoted(text) : text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw badInput('body', 'a JSON object', reason);
  }
}

/** A text that does not end goes on to the end of all, so that nothing is looked at twice. */
const texts = /"(?:[^"\\]|\\.?)*(?:"|$)|'((?:[^'\\]|\\.?)*)('|$)/gs;

/** Turns every text in single quotes into one in double quotes, and leaves those in double quotes alone. */
function doubleQuoted(text: string): string {
  return text.replace(texts, (whole, inner?: string, end?: string) => {
    if (inner === undefined || end === '') return whole;
    const escaped = inner.replace(/\\.|"/gs, part =>
      part === '"' ? '\\"' : part === "\\'" ? "'" : part,
    );
    return `"${escaped}"`;
  });
}

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
