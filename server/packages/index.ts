// SPDX-License-Identifier: Apache-2.0
// A model as it was asked for -> a path that loadModel() takes, with what its package says about it.
import { readdir, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, parse } from 'node:path';
import { InferenceError, type LoadOptions } from '../../lib/index.js';
import { invalid, type PackageLimits, quoted } from './archive.js';
import { type Classifier, isKnownHandler, readClassifier } from './classifier.js';
import type { DownloadRules } from './download.js';
import { isArchiveName } from './extract.js';
import { createFetching } from './fetching.js';
import { type PackageFiles, readObject } from './files.js';
import { type Found, findLocation } from './location.js';
import { type PackageManifest, readManifest } from './manifest.js';
import { isRemote, readPatterns } from './url.js';
import { createWorkspace, type Workspace } from './workspace.js';

export { type Classifier, classifierOptions } from './classifier.js';
export { downloadFailed } from './download.js';

/** What is needed to load a model from its package. */
export interface ModelSource {
  /** For loadModel(). */
  readonly path: string;
  /** What model.json leaves open and the package says. */
  readonly options: LoadOptions;
  /** What has to wait for the names of the tensors. */
  readonly classifier?: Classifier;
  /** What the operator should know. */
  readonly notes: readonly string[];
  /** To be called once, when the model is closed or was not loaded. */
  readonly release: () => Promise<void>;
}

export interface Packages {
  /**
   * @param location   path of a model file, a directory or an archive, in the model store where there is one; or a
   *                   `file:`, `http:`, `https:` or `s3:` URL.
   * @param isTrusted  whether whoever names it may lead out of the model store.
   * @throws           INFER_BAD_INPUT, INFER_MODEL_NOT_FOUND, INFER_MODEL_INVALID, INFER_INTERNAL when `workDir` cannot
   *                   be used.
   */
  readonly open: (location: string, isTrusted: boolean) => Promise<ModelSource>;
  /**
   * The names of what may be a model in the model store, sorted: directories and archives that are not hidden.
   * @throws  INFER_BAD_INPUT without a model store, INFER_MODEL_NOT_FOUND when it cannot be read.
   */
  readonly list: () => Promise<readonly string[]>;
  /** A directory for something else, closed to others; release() removes it. */
  readonly scratch: Workspace['scratch'];
  /** Ends fetches, with INFER_CLOSED; none begins any more. */
  readonly stop: () => void;
  /** The same, then waits for what is being opened, and removes what was unpacked. Harmless when it was called before. */
  readonly close: () => Promise<void>;
  /** What the operator should know of the start. */
  readonly notes: readonly string[];
}

export interface PackageSettings {
  /** '' for none. */
  readonly modelStore: string;
  /** '' for the usual one. */
  readonly workDir: string;
  readonly maxPackageBytes: number;
  /** Regular expressions. */
  readonly allowedUrls: readonly string[];
}

/** Far above what models are made of, and low enough to be looked at in a moment. */
const maxEntries = 10_000;

/** Weights hardly shrink at all; deflate can do 1000 at most, on zeros. */
const maxRatio = 200;

/** The other side of a download may be silent for so long. */
const idleMs = 30_000;

/** And all of it may take so long. */
const mostMs = 3_600_000;

/** Where archives are unpacked unless a setting says otherwise: for each user another one, as others could not write there. */
function usualWorkDir(): string {
  return join(tmpdir(), `inference-native-${process.getuid?.() ?? 'user'}`);
}

/** Also removes what processes that were killed have left in `workDir`. */
export async function createPackages(
  { modelStore, workDir, maxPackageBytes, allowedUrls }: PackageSettings,
  limits: PackageLimits & Pick<DownloadRules, 'idleMs' | 'mostMs'> = {
    maxBytes: maxPackageBytes,
    maxEntries,
    maxRatio,
    idleMs,
    mostMs,
  },
): Promise<Packages> {
  const workspace = await createWorkspace(workDir === '' ? usualWorkDir() : workDir, limits);
  const { fetch, stop } = createFetching({ ...limits, allowed: readPatterns(allowedUrls) });
  const openRemote = async (location: string): Promise<ModelSource> => {
    const { directory, release } = await workspace.scratch();
    try {
      const path = await fetch(location, directory);
      const fetched = { path, name: basename(path) };
      if (!isArchiveName(path)) return { ...(await openFound(workspace, fetched)), release };
      const source = await openFound(workspace, fetched);
      await release(); // the archive is unpacked
      return source;
    } catch (error) {
      await release();
      throw error;
    }
  };
  const open: Packages['open'] = async (location, isTrusted) =>
    isRemote(location)
      ? openRemote(location)
      : openFound(workspace, await findLocation(location, { modelStore, isTrusted }));
  const opening = new Set<Promise<unknown>>();
  const openTracked: Packages['open'] = (location, isTrusted) => {
    const source = open(location, isTrusted);
    opening.add(source);
    const forget = () => opening.delete(source);
    source.then(forget, forget);
    return source;
  };
  const close = async () => {
    stop();
    await Promise.allSettled(opening);
    await workspace.close();
  };
  const { notes, scratch } = workspace;
  return { open: openTracked, list: () => listStore(modelStore), scratch, stop, close, notes };
}

/** What lies there; archives are unpacked. */
async function openFound(workspace: Workspace, { path, name }: Found): Promise<ModelSource> {
  const found = await stat(path).catch(() => undefined); // loadModel() says why
  const none = { path, notes: [], release: async () => {} };
  const isLink = name !== basename(path);
  if (found?.isDirectory()) {
    const top = await modelIn(path);
    const usualName = isLink || top !== path ? name : '';
    return { ...none, path: top, ...(await describe(top, labelOf(name), usualName)) };
  }
  if (found?.isFile() === false) {
    throw invalid(labelOf(name), 'expected a file or a directory, got neither');
  }
  if (found === undefined || !isArchiveName(name)) {
    return { ...none, options: isLink ? optionsOfLink(name) : {} };
  }
  const { directory, release } = await workspace.unpack(path, name);
  try {
    const top = await topOf(directory);
    const described = await describe(top, labelOf(name), archiveName(name));
    return { path: top, ...described, release };
  } catch (error) {
    await release();
    throw error;
  }
}

async function listStore(modelStore: string): Promise<readonly string[]> {
  if (modelStore === '') {
    throw new InferenceError('INFER_BAD_INPUT', 'models: ALL: expected a model store, got none');
  }
  const entries = await readdir(modelStore, { withFileTypes: true }).catch(error => {
    const message = `modelStore ${quoted(modelStore)} cannot be read (${error.code})`;
    throw new InferenceError('INFER_MODEL_NOT_FOUND', message, { cause: error });
  });
  return entries
    .filter(entry => entry.isDirectory() || isArchiveName(entry.name))
    .map(({ name }) => name)
    .filter(name => !name.startsWith('.'))
    .sort();
}

function labelOf(name: string): string {
  return `model ${quoted(name)}`;
}

/** A link to a model file says what that is and gives the model its name, as the file itself would. */
function optionsOfLink(name: string): LoadOptions {
  const { name: stem, ext } = parse(name);
  return { name: stem, ...(ext.toLowerCase() === '.onnx' ? { engine: 'onnxruntime' } : {}) };
}

/** An archive without a name for its model gives it its own. @source MMS: other than letters, digits and `_` become `_`. */
function archiveName(name: string): string {
  return name.replace(/\.(mar|zip|model|tgz|tar\.gz)$/i, '').replace(/\W/g, '_');
}

/** Archives made of a directory hold that directory; macOS adds one of its own. */
async function topOf(directory: string): Promise<string> {
  const entries = await readdir(directory, { withFileTypes: true });
  const [only, second] = entries.filter(({ name }) => name !== '__MACOSX');
  if (only === undefined || second !== undefined || !only.isDirectory()) return directory;
  return only.name === 'MAR-INF' ? directory : join(directory, only.name);
}

/**
 * A directory may hold its model in the one directory in it.
 * @source SageMaker: artifacts lie at the top or one level below, beside `code`.
 */
async function modelIn(directory: string): Promise<string> {
  const entries = await readdir(directory, { withFileTypes: true });
  if (entries.some(entry => entry.isFile() && isPart(entry.name))) return directory;
  const [only, second] = entries.filter(
    entry => entry.isDirectory() && !entry.name.startsWith('.') && !beside.includes(entry.name),
  );
  if (only === undefined || second !== undefined) return directory;
  return join(directory, only.name);
}

const beside: readonly string[] = ['code', 'MAR-INF'];

/** Whether a file of this name makes a model of the directory it is in. */
function isPart(name: string): boolean {
  return models.test(name) || /\.json$/i.test(name);
}

type Described = Pick<ModelSource, 'options' | 'classifier' | 'notes'>;

/** What the files beside model.json say; that one counts where both say something, and it alone says what is done with images. */
async function describe(directory: string, label: string, usualName = ''): Promise<Described> {
  const files: PackageFiles = { directory, label, names: await readdir(directory) };
  const given = await readManifest(files);
  const manifest = { ...given, name: given.name || usualName };
  const own = files.names.includes('model.json')
    ? await readObject(files, 'model.json')
    : undefined;
  const keys = (['name', 'version', 'file'] as const).filter(
    key => manifest[key] !== '' && !Object.hasOwn(own ?? {}, key),
  );
  const options: LoadOptions = Object.fromEntries(keys.map(key => [key, manifest[key]]));
  if (own !== undefined) return { options, notes: [] };
  refuseForeign(files, manifest);
  const classifier = await readClassifier(files, manifest);
  const notes = handlerNotes(manifest);
  return { options, notes, ...(classifier === undefined ? {} : { classifier }) };
}

/** Files that loadModel() runs, or names the engine of. */
const models = /\.(onnx|pt|pt2|pth|neff)$/i;

/** Kinds of files that tell why a package holds none of those. */
const foreign: readonly { ends: RegExp; is: string }[] = [
  { ends: /(-symbol\.json|\.params)$/i, is: 'an MXNet model: export it to ONNX' },
  { ends: /\.(py|pyc)$/i, is: 'a Python handler, which is never run here' },
];

function refuseForeign({ names, label }: PackageFiles, { file, handler }: PackageManifest): void {
  if (file !== '' || names.some(name => models.test(name))) return;
  for (const { ends, is } of foreign) {
    const found = names.find(name => ends.test(name));
    if (found !== undefined) {
      throw invalid(label, `expected a model file (.onnx), got only ${quoted(found)}, ${is}`);
    }
  }
  if (handler === '') return; // loadModel() says that there is none
  throw invalid(
    label,
    `expected a model file (.onnx), got only the Python handler ${quoted(handler)}`,
  );
}

function handlerNotes({ handler }: PackageManifest): readonly string[] {
  if (handler === '' || isKnownHandler(handler)) return [];
  const text = `the Python handler ${quoted(handler)} is not run: inputs and outputs are those of the model`;
  return [text];
}
