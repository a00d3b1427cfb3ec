// SPDX-License-Identifier: Apache-2.0
// Small files that only the operator should read: tokens, keys, passphrases.
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { InferenceError } from '../lib/index.js';

export interface SecretFile {
  readonly bytes: Buffer;
  readonly found: BigIntStats;
  /** What the operator should know. */
  readonly notes: readonly string[];
}

const mostBytes = 2 ** 20;

/**
 * @param label  of the setting that names the file.
 * @throws       INFER_BAD_INPUT; no message tells anything of what is in the file.
 */
export function readSecretFile(label: string, path: string): SecretFile {
  const where = `${label}: ${path}`;
  const file = openFile(where, path);
  try {
    const found = fstatSync(file, { bigint: true });
    if (!found.isFile()) throw refused(where, 'expected a regular file');
    if (found.size > mostBytes) throw refused(where, `expected at most ${mostBytes} bytes`);
    return { bytes: readFileSync(file), found, notes: notesOn(where, Number(found.mode)) };
  } finally {
    closeSync(file);
  }
}

/** Opening a named pipe would wait for its other end, were it not for O_NONBLOCK. */
function openFile(where: string, path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw refused(where, `cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

function notesOn(where: string, mode: number): readonly string[] {
  if ((mode & 0o006) === 0) return [];
  const got = (mode & 0o777).toString(8).padStart(4, '0');
  return [`${where}: expected a file that is closed to other users (0600), got mode ${got}`];
}

export function refused(where: string, problem: string): InferenceError {
  return new InferenceError('INFER_BAD_INPUT', `${where}: ${problem}`);
}
