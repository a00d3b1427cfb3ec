// SPDX-License-Identifier: Apache-2.0
// config.properties and MMS_* variables -> layers of our settings, and notes about what has no effect.
import { readFileSync } from 'node:fs';
import { InferenceError } from '../../lib/index.js';
import { type Config, settingTable } from '../config.js';
import {
  bad,
  type ConfigNote,
  check,
  type Environment,
  type FileSettings,
  type Given,
  type Layer,
} from '../layers.js';
import { addressForm, keyRow, type MmsKey, mmsKeys } from './keys.js';
import { parseProperties } from './properties.js';

/** A key with its value, and where it stands: `config.properties:7`, or the name of a variable. */
export interface Entry {
  readonly key: string;
  readonly value: string;
  readonly source: string;
}

export function isPropertiesName(path: string): boolean {
  return path.endsWith('.properties');
}

/** @throws  INFER_BAD_INPUT naming key and line. */
export function readPropertiesFile(path: string, environment: Environment): FileSettings {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new InferenceError('INFER_BAD_INPUT', `${path}: cannot be read (${code})`);
  }
  return readProperties(text, path, environment);
}

/** @param label  what messages call the text. */
export function readProperties(
  text: string,
  label: string,
  environment: Environment,
): FileSettings {
  const entries = parseProperties(text).map(({ key, value, line }): Entry => {
    const source = `${label}:${line}`;
    return { key, value: substitute(value, `${source}: ${key}`, environment), source };
  });
  return readEntries(entries, environment);
}

/** Entries of a file, and the variables of the environment if they let those in. */
export function readEntries(entries: readonly Entry[], environment: Environment): FileSettings {
  const file = applyAll(entries);
  const letIn = entries.findLast(({ key }) => key === 'enable_envvars_config');
  const variables =
    letIn !== undefined && isTrue(letIn.value)
      ? applyAll(variableEntries(environment))
      : applyAll([]);
  const room = bufferFor(new Map([...file.layer, ...variables.layer]));
  return {
    layer: new Map([...file.layer, ...room]),
    overrides: variables.layer,
    notes: [...file.notes, ...variables.notes],
  };
}

/** MMS has no limit for all bodies together: ours makes room for one of the largest in each thread. */
function bufferFor(layer: Layer): Layer {
  const numberOf = (key: keyof Config) =>
    Number(layer.get(key)?.value ?? settingTable.find(row => row.key === key)?.default);
  const value = numberOf('maxRequestBytes') * numberOf('httpThreads');
  if (value <= numberOf('maxBufferedBytes')) return new Map();
  const source = 'max_request_size times number_of_netty_threads';
  return new Map([['maxBufferedBytes', { value, source }]]);
}

/** @source MMS: `$$NAME$$` anywhere in a value. */
function substitute(value: string, where: string, environment: Environment): string {
  return value.replace(/\$\$(\w+)\$\$/g, (_, name: string) => {
    const found = environment[name];
    if (found !== undefined) return found;
    const message = `Invalid configuration: Invalid Environment Variable ${name} (${where})`;
    throw new InferenceError('INFER_BAD_INPUT', message);
  });
}

function variableEntries(environment: Environment): Entry[] {
  return mmsKeys.flatMap(({ key, isVariable, variable }) => {
    const source = variable ?? (isVariable ? `MMS_${key.toUpperCase()}` : '');
    const value = environment[source];
    return value === undefined ? [] : [{ key, value, source }];
  });
}

/** Of a key that comes twice, the last counts. */
function applyAll(entries: readonly Entry[]): { layer: Layer; notes: ConfigNote[] } {
  const layer = new Map<keyof Config, Given>();
  const notes: ConfigNote[] = [];
  const byKey = new Map(entries.map(entry => [entry.key, entry]));
  for (const entry of byKey.values()) {
    const { key, source } = entry;
    const row = keyRow(key);
    if (row === undefined) {
      notes.push({ kind: 'unknown', key, source, reason: 'there is no such key' });
      continue;
    }
    const value = checkValue(row, entry);
    if (row.yieldsTo !== undefined && byKey.has(row.yieldsTo)) continue;
    const note = noteOf(row, value);
    if (note !== undefined) notes.push({ kind: note.kind, key, source, reason: note.reason });
    for (const [name, own] of Object.entries(row.settings?.(value) ?? {})) {
      const setting = settingTable.find(candidate => candidate.key === name);
      if (setting === undefined) continue;
      const where = `${source}: ${key}`;
      const taken = own === undefined ? setting.default : check(setting, own, where);
      layer.set(setting.key, { value: taken, source: where });
    }
  }
  return { layer, notes };
}

function isTrue(value: string): boolean {
  return value.trim().toLowerCase() === 'true';
}

function noteOf({ ignored, unsupported, unless }: MmsKey, value: string) {
  if (ignored !== undefined) return { kind: 'ignored', reason: ignored } as const;
  if (unsupported === undefined || value === unless) return undefined;
  return { kind: 'unsupported', reason: unsupported } as const;
}

/** The value, trimmed, when it is of the type of its key. */
function checkValue({ type, refused }: MmsKey, { key, value, source }: Entry): string {
  const where = `${source}: ${key}`;
  const text = type === 'boolean' ? value.trim().toLowerCase() : value.trim();
  if (type === 'integer' && !/^-?\d{1,15}$/.test(text)) throw bad(where, 'an integer', value);
  if (type === 'boolean' && text !== 'true' && text !== 'false') {
    throw bad(where, 'true or false', value);
  }
  if (type === 'address' && !addressForm.test(text)) {
    throw bad(where, 'http://host:port, https://host:port or unix:/path', text);
  }
  if (refused !== undefined && text === refused.value) throw bad(where, refused.reason, value);
  return text;
}
