// SPDX-License-Identifier: Apache-2.0
// Wording of messages about JSON values and names that came from outside.
import { InferenceError, type TensorSpec } from '../../lib/index.js';

const longestText = 60;

/** `text` in double quotes, control characters escaped, cut after 60 characters. */
export function quote(text: string): string {
  return JSON.stringify(text.length > longestText ? `${text.slice(0, longestText)}...` : text);
}

/** Names for a message: `"a", "b"`; at most 20 of them, then how many more there are. */
export function quoteAll(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const shown = names.slice(0, 20).map(quote).join(', ');
  return names.length > 20 ? `${shown} and ${names.length - 20} more` : shown;
}

/** A parsed JSON value, for the "got ..." part of a message. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return `the string ${quote(value)}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'number' && !Number.isFinite(value)) return 'a number beyond float64';
  return Object.is(value, -0) ? '-0' : String(value);
}

/** `"features" (float32 [-1, 4])`. */
export function specText({ name, type, shape }: TensorSpec): string {
  return `${quote(name)} (${type} [${shape.join(', ')}])`;
}

/**
 * @param where     the field, as a JSON path or the name of a part.
 * @param expected  what would have been right.
 * @param got       what came, as describe() writes it.
 */
export function badInput(where: string, expected: string, got: string): InferenceError {
  return new InferenceError('INFER_BAD_INPUT', `${where}: expected ${expected}, got ${got}`);
}
