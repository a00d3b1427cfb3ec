// SPDX-License-Identifier: Apache-2.0
// Reads the small JSON files of a model package.
import { readFile, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, relative, sep } from 'node:path';
import { invalid } from './archive.js';

/** The files of a package, and how messages call it. */
export interface PackageFiles {
  readonly label: string;
  /** Absolute. */
  readonly directory: string;
  /** What lies at its top. */
  readonly names: readonly string[];
}

export type JsonObject = Readonly<Record<string, unknown>>;

const mostBytes = 2 ** 22;

/**
 * Reads a JSON object. What the file holds is never shown: a link might have led to another one.
 * @param name  relative to the directory of the package.
 * @throws      INFER_MODEL_INVALID
 */
export async function readObject({ directory, label }: PackageFiles, name: string) {
  const where = `${label}: ${name}`;
  const [top, path] = await Promise.all([
    realpath(directory),
    realpath(join(directory, name)).catch(error => {
      throw invalid(where, 'cannot be read', error);
    }),
  ]);
  const inside = relative(top, path);
  const { size, isFile } = await stat(path).then(found => ({
    size: found.size,
    isFile: found.isFile(),
  }));
  if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside) || !isFile) {
    throw invalid(where, 'expected a regular file inside the package');
  }
  if (size > mostBytes) throw invalid(where, `expected at most ${mostBytes} bytes, got ${size}`);
  return objectOf(parse(await readFile(path, 'utf8')), where);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return undefined;
  }
}

export function objectOf(value: unknown, where: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(where, 'expected a JSON object');
  }
  return value as JsonObject;
}

/** The text under a key; undefined where there is none. */
export function textOf(from: JsonObject, key: string, where: string): string | undefined {
  const value = Object.hasOwn(from, key) ? from[key] : undefined;
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw invalid(`${where}: ${key}`, 'expected a text');
  return value;
}
