// SPDX-License-Identifier: Apache-2.0
// Where a model lies that is asked for by path, by name in the model store, or by URL.
import { realpath } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InferenceError } from '../../lib/index.js';
import { quoted } from './archive.js';

export interface Places {
  /** Directory that relative locations start at; '' for the working directory of the process. */
  readonly modelStore: string;
  /** Whether the location may lead out of the store: whoever starts the server may read what it reads. */
  readonly isTrusted: boolean;
}

/**
 * @param location  a path, or a `file:` URL.
 * @returns         an absolute path. What is not trusted lies in the store, whatever links lead there.
 * @throws          INFER_BAD_INPUT for what may not be named, INFER_MODEL_NOT_FOUND when there is nothing.
 */
export async function findLocation(location: string, places: Places): Promise<string> {
  const path = toPath(location);
  const { modelStore, isTrusted } = places;
  if (modelStore === '' && isTrusted) return resolve(path);
  if (modelStore === '') throw missing('Model store has not been configured.');
  if (isAbsolute(path) && isTrusted) return path;
  if (path.split(/[/\\]/).includes('..')) {
    throw missing(`Relative path is not allowed in url: ${shown(location)}`);
  }
  const found = resolve(modelStore, path);
  if (!(await isInside(found, modelStore, location))) {
    throw refused(location, 'expected a path in the model store, got one that leads out of it');
  }
  return found;
}

function toPath(location: string): string {
  if (/^s3:/i.test(location)) {
    throw refused(location, 'expected a path or an https: URL, as this version does not speak S3');
  }
  if (!/^file:/i.test(location)) return location;
  try {
    return fileURLToPath(location);
  } catch (error) {
    throw refused(location, 'expected file:///absolute/path', error);
  }
}

async function isInside(path: string, store: string, location: string): Promise<boolean> {
  try {
    const inside = relative(await realpath(store), await realpath(path));
    return inside !== '..' && !inside.startsWith(`..${sep}`) && !isAbsolute(inside);
  } catch (error) {
    throw missing(`Model not found in model store: ${shown(location)}`, error);
  }
}

const longestShown = 256;

function shown(location: string): string {
  return location.slice(0, longestShown);
}

/** @source MMS: clients know these texts, and 404 beside them. */
function missing(message: string, cause?: unknown): InferenceError {
  return new InferenceError('INFER_MODEL_NOT_FOUND', message, cause === undefined ? {} : { cause });
}

function refused(location: string, expected: string, cause?: unknown): InferenceError {
  const extra = cause === undefined ? {} : { cause };
  return new InferenceError('INFER_BAD_INPUT', `model ${quoted(location)}: ${expected}`, extra);
}
