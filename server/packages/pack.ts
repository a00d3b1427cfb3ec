// SPDX-License-Identifier: Apache-2.0
// A model directory -> a .mar, as the archivers of Multi Model Server and TorchServe make it.
import { constants } from 'node:fs';
import { access, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { InferenceError } from '../../lib/index.js';
import { chunksOf, quoted } from './archive.js';
import { nameProblem } from './extract.js';
import { objectOf, readObject } from './files.js';
import { writeZip, type ZipFile } from './zip_writer.js';

export interface PackRequest {
  /** Letters, digits, `_`, `-` and `.`; also names the file. */
  readonly modelName: string;
  /** Directory of the model. */
  readonly modelPath: string;
  readonly modelVersion: string | undefined;
  /** Only written down, for servers that run Python. */
  readonly handler: string | undefined;
  /** Directory that the archive is put in. */
  readonly exportPath: string;
  /** Whether an archive of the name is replaced. */
  readonly force: boolean;
}

/**
 * Makes the archive; the same files give the same bytes.
 * @returns  its path.
 * @throws   INFER_BAD_INPUT, INFER_MODEL_NOT_FOUND, INFER_MODEL_INVALID.
 */
export async function pack(request: PackRequest): Promise<string> {
  const { modelName, modelPath, exportPath, force } = request;
  const path = join(exportPath, `${modelName}.mar`);
  if (!force && (await exists(path))) {
    throw bad(`${path}: exists; --force replaces it`);
  }
  const names = await filesBelow(modelPath, '');
  const manifest = await manifestOf(request, names);
  const files = names.map(name => fileOf(join(modelPath, name), name));
  const partial = join(exportPath, `.${modelName}.mar.${process.pid}`);
  const target = await open(partial, 'w').catch(error => {
    throw bad(`--export-path ${quoted(exportPath)}: cannot be written (${error.code})`, error);
  });
  try {
    await writeZip(target, [manifest, ...files]);
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  } finally {
    await target.close();
  }
  return path;
}

function bad(message: string, cause?: unknown): InferenceError {
  return new InferenceError('INFER_BAD_INPUT', message, cause === undefined ? {} : { cause });
}

function exists(path: string): Promise<boolean> {
  return access(path, constants.F_OK).then(
    () => true,
    () => false,
  );
}

function fileOf(path: string, name: string): ZipFile {
  return {
    name,
    read: async function* () {
      const file = await open(path, 'r').catch(error => {
        throw bad(`${name}: cannot be read (${error.code})`, error);
      });
      try {
        yield* chunksOf(file);
      } finally {
        await file.close();
      }
    },
  };
}

/** What is not the model's: @source the archivers of MMS leave out the same, but keep hidden files that are no directories. */
const leftOut = /^(\.|__MACOSX$|__pycache__$|MAR-INF$|MANIFEST\.json$)|\.(pyc|mar)$/i;

/** All files of a directory, as relative paths, in an order that depends on their names only. */
async function filesBelow(top: string, above: string): Promise<string[]> {
  const entries = await readdir(join(top, above), { withFileTypes: true }).catch(error => {
    const message = `--model-path ${quoted(top)}: expected a directory (${error.code})`;
    throw new InferenceError('INFER_MODEL_NOT_FOUND', message, { cause: error });
  });
  const names: string[] = [];
  for (const entry of entries) {
    if (leftOut.test(entry.name)) continue;
    const name = above === '' ? entry.name : `${above}/${entry.name}`;
    const problem = nameProblem(name);
    if (problem !== undefined) throw bad(`${quoted(name)}: ${problem}`);
    if (entry.isDirectory()) names.push(...(await filesBelow(top, name)));
    else if (entry.isFile()) names.push(name);
    else throw bad(`${quoted(name)}: expected a file or a directory, got a link or a device`);
  }
  return names.sort();
}

async function manifestOf(request: PackRequest, names: readonly string[]): Promise<ZipFile> {
  const { modelName, modelVersion, handler } = request;
  const model = {
    modelName,
    modelVersion,
    serializedFile: await modelFile(request, names),
    handler,
  };
  const manifest = {
    specificationVersion: '1.0',
    implementationVersion: '1.0',
    modelServerVersion: '1.0',
    model,
  };
  const bytes = Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`);
  return {
    name: 'MAR-INF/MANIFEST.json',
    read: async function* () {
      yield bytes;
    },
  };
}

/** The file that model.json names, else the only one there is. */
async function modelFile({ modelPath }: PackRequest, names: readonly string[]): Promise<string> {
  const label = `model ${quoted(basename(modelPath))}`;
  const own = names.includes('model.json')
    ? await readObject({ directory: modelPath, label, names }, 'model.json')
    : objectOf({}, label);
  const models = names.filter(name => !name.includes('/') && name.toLowerCase().endsWith('.onnx'));
  const [only, second] = 'file' in own ? [own['file']] : models;
  if (typeof only === 'string' && names.includes(only) && second === undefined) return only;
  const got = models.length === 0 ? 'none' : models.map(quoted).join(', ');
  const expected = 'expected one model file (.onnx), or one that "file" in model.json names';
  throw new InferenceError('INFER_MODEL_INVALID', `${label}: ${expected}; got ${got}`);
}
