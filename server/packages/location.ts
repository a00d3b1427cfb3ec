// SPDX-License-Identifier: Apache-2.0
// Where a model lies that is asked for by path, by name in the model store, or by URL.
import { realpath } from 'node:fs/promises';
import { basename, isAbsolute, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceError } from '../../lib/index.js';
import { redact } from '../redact.js';
import { quoted } from './archive.js';

export interface Places {
  /** Directory that relative locations start at; '' for the working directory of the process. */
  readonly modelStore: string;
  /** Whether the location may lead out of the store: whoever starts the server may read what it reads. */
  readonly isTrusted: boolean;
}

/** Where a model lies. */
export interface Found {
  readonly path: string;
  /** The last part of what was asked for: where links were followed, the path ends in another one. */
  readonly name: string;
}

/**
 * @param location  a path, or a `file:` URL.
 * @returns         an absolute path. What is not trusted lies in the store, and no link leads there any more that could
 *                  lead elsewhere a moment later.
 * @throws          INFER_BAD_INPUT for what may not be named, INFER_MODEL_NOT_FOUND when there is nothing; to those who
 *                  are not trusted, what lies outside of the store is not there.
 */
export async function findLocation(location: string, places: Places): Promise<Found> {
  const path = toPath(location);
  const { modelStore, isTrusted } = places;
  if (modelStore === '' && !isTrusted) throw missing('Model store has not been configured.');
  if (isTrusted && (modelStore === '' || isAbsolute(path))) return foundAt(resolve(path));
  if (path.split(/[/\\]/).includes('..')) {
    throw missing(`Relative path is not allowed in url: ${shown(location)}`);
  }
  const asked = resolve(modelStore, path);
  if (!isTrusted) refuseSystem(asked, location);
  const real = await follow(asked, modelStore);
  if (!isTrusted && real?.isInside) refuseSystem(real.path, location);
  if (isTrusted && real?.isInside === false) {
    throw refused(location, 'expected a path in the model store, got one that leads out of it');
  }
  if (!real?.isInside) throw missing(`Model not found in model store: ${shown(location)}`);
  return isTrusted ? foundAt(asked) : { path: real.path, name: basename(asked) };
}

function foundAt(path: string): Found {
  return { path, name: basename(path) };
}

function toPath(location: string): string {
  if (!/^file:/i.test(location)) return location;
  try {
    return fileURLToPath(location);
  } catch (error) {
    throw refused(location, 'expected file:///absolute/path', error);
  }
}

/** What looks like files there is the system itself, also where the model store is the root of all. */
function refuseSystem(path: string, location: string): void {
  if (!/^\/(?:dev|proc|sys)(?:\/|$)/.test(path)) return;
  throw refused(location, 'expected a path outside of /dev, /proc and /sys');
}

/** Where links lead; undefined where there is nothing. */
async function follow(asked: string, store: string) {
  try {
    const path = await realpath(asked);
    const inside = relative(await realpath(store), path);
    const isOutside = inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside);
    return { path, isInside: !isOutside };
  } catch {
    return undefined;
  }
}

const longestShown = 256;

function shown(location: string): string {
  return redact(location).slice(0, longestShown);
}

/** @source MMS: clients know these texts, and 404 beside them. */
function missing(message: string): InferenceError {
  return new InferenceError('INFER_MODEL_NOT_FOUND', message);
}

function refused(location: string, expected: string, cause?: unknown): InferenceError {
  const extra = cause === undefined ? {} : { cause };
  return new InferenceError(
    'INFER_BAD_INPUT',
    `model ${quoted(redact(location))}: ${expected}`,
    extra,
  );
}
