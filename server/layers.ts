// SPDX-License-Identifier: Apache-2.0
// What one place says about settings, and the checks that every place has in common.
import { InferenceError } from '../lib/index.js';
import type { Config, SettingRow, Value } from './config.js';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A value with the words that tell where it is from. */
export interface Given {
  readonly value: Value;
  readonly source: string;
}

/** What one place says about settings. */
export type Layer = ReadonlyMap<keyof Config, Given>;

/** A key of a foreign configuration that has no effect here. */
export interface ConfigNote {
  /** `ignored` is about another implementation; `unsupported` would matter, and is not there yet. */
  readonly kind: 'ignored' | 'unsupported' | 'unknown';
  readonly key: string;
  readonly source: string;
  readonly reason: string;
}

/** All settings, where each is from, and what was left out. */
export interface ConfigReport {
  readonly config: Config;
  readonly sources: Readonly<Record<keyof Config, string>>;
  readonly notes: readonly ConfigNote[];
}

/** What a configuration file says. */
export interface FileSettings {
  readonly layer: Layer;
  /** What the file says counts over everything else: variables of the environment that it lets in. */
  readonly overrides: Layer;
  readonly notes: readonly ConfigNote[];
}

export function bad(where: string, expected: string, got: unknown): InferenceError {
  return new InferenceError(
    'INFER_BAD_INPUT',
    `${where}: expected ${expected}, got ${JSON.stringify(got)}`,
  );
}

/** What a flag or variable says, in the row's type where that is possible. */
export function fromText({ type }: SettingRow, text: string): unknown {
  if (type === 'integer') return /^\d+$/.test(text) ? Number(text) : text;
  if (type === 'list') return listOf(text);
  return text;
}

export function listOf(text: string): string[] {
  return text.split(',').filter(part => part !== '');
}

/**
 * @param value  of any type.
 * @param where  what messages call it.
 * @throws       INFER_BAD_INPUT when it is nothing that the setting takes.
 */
export function check(row: SettingRow, value: unknown, where: string): Value {
  const { type, range, choices, isHeader } = row;
  const shown = row.isSecret === true ? 'something else' : value;
  if (type === 'integer') {
    const [low, high] = range ?? [0, Number.MAX_SAFE_INTEGER];
    const fits =
      typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high;
    if (!fits) throw bad(where, `an integer from ${low} to ${high}`, value);
    return value;
  }
  if (type === 'list') {
    const fits =
      Array.isArray(value) &&
      value.length > 0 &&
      value.every(entry => typeof entry === 'string' && entry !== '');
    if (!fits) throw bad(where, 'a list of one or more texts', value);
    return value;
  }
  if (typeof value !== 'string' || value === '') throw bad(where, 'a text', shown);
  if (isHeader === true && !/^[\x20-\x7e]+$/.test(value)) {
    throw bad(where, 'printable ASCII on one line', value);
  }
  if (choices !== undefined && !choices.includes(value)) {
    throw bad(where, `one of ${choices.join(', ')}`, value);
  }
  return value;
}
