// SPDX-License-Identifier: Apache-2.0
// What tests of all areas share: where things are, fixtures, and waiting without sleeping.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceError } from '../lib/index.js';

/** The root of the repository: the nearest folder above this file (which runs from dist/) with a package.json. */
export const root = findRoot(dirname(fileURLToPath(import.meta.url)));

function findRoot(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  const above = dirname(folder);
  if (above === folder) throw new Error('no package.json above the tests');
  return findRoot(above);
}

/** Absolute path of a file in test/fixtures. */
export function fixture(name: string): string {
  return join(root, 'test', 'fixtures', name);
}

/** The text of a file of the repository. */
export function textOf(...path: string[]): string {
  return readFileSync(join(root, ...path), 'utf8');
}

/** The InferenceError that a promise rejects with; anything else ends the test. */
export async function failure(promise: Promise<unknown>): Promise<InferenceError> {
  const reason = await promise.then(
    () => new Error('expected a rejection'),
    (error: unknown) => error,
  );
  if (reason instanceof InferenceError) return reason;
  throw reason;
}

/** Resolves in the first turn of the event loop in which `condition` holds; a hung test is ended by its runner. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(resolve => setImmediate(resolve));
}
