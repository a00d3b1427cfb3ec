// SPDX-License-Identifier: Apache-2.0
// Finds the files of a model, and keeps what a model directory names inside that directory.
import type { Stats } from 'node:fs';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import {
  basename,
  dirname,
  extname,
  isAbsolute,
  join,
  relative,
  resolve,
  sep,
  win32,
} from 'node:path';
import { describe, type ErrorCode, InferenceError, quote, quoteAll } from './errors.js';

/** The file name extensions of models that this version runs, with the engine for each. */
export const engineOfExtension = { '.onnx': 'onnxruntime' } as const;

/** Extensions that are models all right, but not for this version, with what they are. */
const unsupported: { readonly [extension: string]: string } = {
  '.pt': 'a TorchScript model',
  '.pt2': 'a compiled PyTorch model',
  '.pth': 'a PyTorch model',
  '.neff': 'an AWS Neuron model',
};
const archives = ['.mar', '.zip', '.tar', '.tgz', '.gz'];

/** What the path given to loadModel() is. */
export interface Location {
  /** Absolute directory that holds the model. */
  readonly directory: string;
  /** Absolute path of the model file, when the path given names one. */
  readonly file: string | undefined;
  /** Default name of the model. */
  readonly name: string;
}

/**
 * Looks at the path given to loadModel().
 * @param path  of a model file or directory; relative paths start at the working directory.
 * @throws      INFER_BAD_INPUT when it is no path, INFER_MODEL_NOT_FOUND when nothing can be read there,
 *              INFER_MODEL_INVALID when it is neither file nor directory.
 */
export async function locate(path: unknown): Promise<Location> {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) {
    throw new InferenceError(
      'INFER_BAD_INPUT',
      `path: expected the path of a model file or directory, got ${describe(path)}`,
    );
  }
  const absolute = resolve(path);
  const found = await look(absolute, `model ${quote(path)}`);
  const name = basename(absolute);
  if (found.isDirectory()) return { directory: absolute, file: undefined, name };
  if (!found.isFile()) {
    throw new InferenceError(
      'INFER_MODEL_INVALID',
      `model ${quote(path)}: expected a file or a directory, got neither`,
    );
  }
  return { directory: dirname(absolute), file: absolute, name: basename(name, extname(name)) };
}

/**
 * The engine for a model file.
 * @throws  INFER_ENGINE_UNAVAILABLE for a model of an engine that this version does not have,
 *          INFER_MODEL_INVALID for any other extension.
 */
export function engineFor(file: string): 'onnxruntime' {
  const extension = extname(file).toLowerCase();
  if (extension === '.onnx') return engineOfExtension[extension];
  const known = quoteAll(Object.keys(engineOfExtension));
  const kind = unsupported[extension];
  if (kind !== undefined) {
    throw new InferenceError(
      'INFER_ENGINE_UNAVAILABLE',
      `model ${quote(basename(file))} is ${kind}; this version runs ${known} files: export it to ONNX`,
      { detail: 'unsupported-format' },
    );
  }
  const hint = archives.includes(extension) ? '; unpack the archive and name the directory' : '';
  throw new InferenceError(
    'INFER_MODEL_INVALID',
    `model ${quote(basename(file))}: expected a file that ends in ${known}, got ${quote(extension)}${hint}`,
  );
}

/**
 * The one model file in a directory without a `file` key.
 * @throws  INFER_MODEL_NOT_FOUND when there is none, INFER_MODEL_INVALID when there are several.
 */
export async function onlyModelIn(directory: string): Promise<string> {
  const names = await namesIn(directory);
  const ours = names.filter(name => Object.hasOwn(engineOfExtension, extname(name).toLowerCase()));
  const [only, second] = ours;
  const where = `model directory ${quote(basename(directory))}`;
  if (second !== undefined) {
    throw new InferenceError(
      'INFER_MODEL_INVALID',
      `${where}: expected one model file, got ${quoteAll(ours)}; choose one with the key "file"`,
    );
  }
  if (only !== undefined) return only;
  const other = names.find(name => unsupported[extname(name).toLowerCase()] !== undefined);
  if (other !== undefined) engineFor(other);
  throw new InferenceError(
    'INFER_MODEL_NOT_FOUND',
    `${where}: expected a file that ends in ${quoteAll(Object.keys(engineOfExtension))}, got none`,
  );
}

/**
 * The names in a directory, sorted.
 * @throws  INFER_MODEL_NOT_FOUND when it cannot be read.
 */
export async function namesIn(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch(error => {
    throw unreadable(error, `model directory ${quote(directory)}`, 'INFER_MODEL_NOT_FOUND');
  });
  return names.sort();
}

/** What messages call a file, and which code a missing one has. */
export interface FileRole {
  readonly label: string;
  readonly missing: ErrorCode;
}

/**
 * The path of a file that a model names, which has to lie inside the directory of the model.
 * @param directory  absolute.
 * @param name       as written in model.json or in an option.
 * @throws           INFER_MODEL_INVALID when it leads outside, also through a symbolic link, or is no regular file;
 *                   the code of the role when it does not exist.
 */
export async function fileInside(directory: string, name: string, role: FileRole): Promise<string> {
  const outside = isAbsolute(name) || win32.isAbsolute(name) || name.split(/[/\\]/).includes('..');
  if (outside || name.includes('\0')) {
    throw new InferenceError(
      'INFER_MODEL_INVALID',
      `${role.label}: expected a relative path inside the directory of the model, got ${quote(name)}`,
    );
  }
  const path = join(directory, name);
  const found = await look(path, `${role.label} ${quote(name)}`, role.missing);
  const inside = relative(await realpath(directory), await realpath(path));
  if (inside === '..' || inside.startsWith(`..${sep}`) || isAbsolute(inside)) {
    throw new InferenceError(
      'INFER_MODEL_INVALID',
      `${role.label}: expected a file inside the directory of the model, got ${quote(name)}, a link that leads out of it`,
    );
  }
  if (!found.isFile()) {
    throw new InferenceError(
      'INFER_MODEL_INVALID',
      `${role.label}: expected a regular file, got ${quote(name)}`,
    );
  }
  return path;
}

/**
 * Reads a small text file of a model as UTF-8.
 * @param path       absolute.
 * @param label      what messages call it.
 * @param sizeBytes  the most it may hold.
 * @throws           INFER_MODEL_INVALID when it is larger, INFER_MODEL_NOT_FOUND when it cannot be read.
 */
export async function readText(path: string, label: string, sizeBytes: number): Promise<string> {
  const { size } = await look(path, label);
  if (size > sizeBytes) {
    throw new InferenceError(
      'INFER_MODEL_INVALID',
      `${label}: expected at most ${sizeBytes} bytes, got ${size}`,
    );
  }
  return readFile(path, 'utf8').catch(error => {
    throw unreadable(error, label, 'INFER_MODEL_NOT_FOUND');
  });
}

/** stat() with a typed error. */
async function look(
  path: string,
  label: string,
  code: ErrorCode = 'INFER_MODEL_NOT_FOUND',
): Promise<Stats> {
  return stat(path).catch(error => {
    throw unreadable(error, label, code);
  });
}

function unreadable(error: NodeJS.ErrnoException, label: string, code: ErrorCode): InferenceError {
  const reason =
    error.code === 'ENOENT' ? 'does not exist' : `cannot be read (${error.code ?? error.message})`;
  const at = error.path === undefined ? '' : `; looked at ${error.path}`;
  return new InferenceError(code, `${label} ${reason}${at}`, { cause: error });
}
