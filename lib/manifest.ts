// SPDX-License-Identifier: Apache-2.0
// model.json: reads it, lets the options of loadModel() override it, and fills in the defaults.
import { resolve } from 'node:path';
import { describe, InferenceError, quote } from './errors.js';
import { parseJson } from './json.js';
import {
  engineFor,
  fileInside,
  type Location,
  locate,
  namesIn,
  onlyModelIn,
  readText,
} from './location.js';
import type { Batching, CheckedOptions, ImageSpec, Limits, Placement } from './option_types.js';
import { defaults } from './options.js';
import { checkOptions } from './schema.js';
import type { TensorSpec } from './tensor.js';

/** What is done with the scores of an output; `labels` are the lines of its label file. */
export interface Postprocess {
  readonly labels?: readonly string[];
  readonly topK: number;
  readonly softmax: boolean;
}

/** How the values of an input are made from encoded media. */
export interface Preprocess {
  readonly image: ImageSpec;
}

/** All options of one model with their defaults, its files found and its labels read. */
export interface Settings {
  readonly name: string;
  readonly version: string;
  readonly engine: 'onnxruntime';
  /** Absolute path of the model file. */
  readonly file: string;
  readonly inputs: readonly TensorSpec[] | undefined;
  readonly outputs: readonly TensorSpec[] | undefined;
  readonly preprocess: Readonly<Record<string, Preprocess>> | undefined;
  readonly postprocess: Readonly<Record<string, Postprocess>> | undefined;
  /** `maxBatch` and `lanes` are 0 and `cores` is empty where the default applies. */
  readonly batching: Batching;
  readonly placement: Placement;
  readonly limits: Limits;
  readonly warmup: boolean;
  readonly enginePath: string | undefined;
}

const manifestName = 'model.json';
const manifestSizeBytes = 2 ** 20;
const labelsSizeBytes = 2 ** 24;

/**
 * Everything that loadModel() has to know, from the path, model.json and the options.
 * @param path     of a model file or directory. model.json is read from a directory only.
 * @param options  of loadModel(); each key overrides the same key of model.json, nested keys one by one.
 * @throws         INFER_BAD_INPUT for wrong options, INFER_MODEL_NOT_FOUND, INFER_MODEL_INVALID,
 *                 INFER_ENGINE_UNAVAILABLE for a model of another engine.
 */
export async function readSettings(path: unknown, options: unknown): Promise<Settings> {
  const own = await checkOwn(options === undefined ? {} : copyOptions(options));
  const location = await locate(path);
  if (location.file !== undefined && own.file !== undefined) {
    throw new InferenceError(
      'INFER_BAD_INPUT',
      `options: "file" chooses within a directory, but the path ${location.file} is a file`,
    );
  }
  const fromFile = location.file === undefined ? await readManifest(location.directory) : {};
  return fillIn(location, merge(fromFile, own) as CheckedOptions);
}

/** Checks a copy of the caller's options. The checker takes long to load, and empty options need none. */
async function checkOwn(options: unknown): Promise<CheckedOptions> {
  if (isPlain(options) && Object.keys(options).length === 0) return {};
  return checkOptions(options, { label: 'options', code: 'INFER_BAD_INPUT', caller: true });
}

/** model.json of a directory; `{}` when there is none. */
async function readManifest(directory: string): Promise<CheckedOptions> {
  if (!(await namesIn(directory)).includes(manifestName)) return {};
  const role = { label: 'model.json', missing: 'INFER_MODEL_INVALID' } as const;
  const path = await fileInside(directory, manifestName, role);
  const parsed = parseJson(await readText(path, path, manifestSizeBytes));
  if ('problem' in parsed) {
    const { line, column, message } = parsed.problem;
    throw new InferenceError(
      'INFER_MODEL_INVALID',
      `${path}: not JSON at line ${line}, column ${column}: ${message}`,
    );
  }
  return checkOptions(parsed.value, { label: path, code: 'INFER_MODEL_INVALID', caller: false });
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // Object.prototype of any realm is the one without a prototype.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A copy, so that the caller's objects stay the caller's, without keys whose value is undefined. */
function copyOptions(options: unknown): unknown {
  try {
    return withoutUndefined(options, []);
  } catch (error) {
    if (error instanceof InferenceError) throw error;
    // A getter or Proxy of the caller's threw.
    const reason = error instanceof Error ? error.message : describe(error);
    throw new InferenceError('INFER_BAD_INPUT', `options: cannot be read: ${reason}`, {
      cause: error,
    });
  }
}

/** @param around  the objects that `value` lies in. */
function withoutUndefined(value: unknown, around: readonly unknown[]): unknown {
  if (!Array.isArray(value) && !isPlain(value)) return value;
  if (around.includes(value)) {
    throw new InferenceError('INFER_BAD_INPUT', 'options: an object lies within itself');
  }
  const copy = (entry: unknown) => withoutUndefined(entry, [...around, value]);
  if (Array.isArray(value)) return value.map(copy);
  const kept = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return Object.fromEntries(kept.map(([key, entry]) => [key, copy(entry)]));
}

/** `over` laid over `base`, object by object; arrays and plain values are replaced whole. */
function merge(base: unknown, over: unknown): unknown {
  if (!isPlain(base) || !isPlain(over)) return over;
  const added = Object.entries(over).map(([key, value]) => [
    key,
    Object.hasOwn(base, key) ? merge(base[key], value) : value,
  ]);
  return Object.fromEntries([...Object.entries(base), ...added]);
}

async function fillIn(location: Location, given: CheckedOptions): Promise<Settings> {
  const { directory } = location;
  const name = location.file === undefined ? (given.file ?? (await onlyModelIn(directory))) : '';
  const role = { label: 'file', missing: 'INFER_MODEL_NOT_FOUND' } as const;
  const file = location.file ?? (await fileInside(directory, name, role));
  return {
    name: given.name ?? location.name,
    version: given.version ?? defaults.version,
    engine: given.engine ?? engineFor(file),
    file,
    inputs: given.inputs,
    outputs: given.outputs,
    preprocess: given.preprocess && mapValues(given.preprocess, fillImage),
    postprocess: given.postprocess && (await readPostprocess(directory, given.postprocess)),
    batching: fillBatching(given.batching ?? {}),
    placement: { ...defaults.placement, lanes: 0, cores: [], ...given.placement },
    limits: { ...given.limits },
    warmup: (given.warmup ?? defaults.warmup) === 'random',
    enginePath: given.enginePath === undefined ? undefined : resolve(given.enginePath),
  };
}

function fillBatching({ padding, ...given }: NonNullable<CheckedOptions['batching']>): Batching {
  return {
    ...{ ...defaults.batching, maxBatch: 0, ...given },
    ...(padding && { padding: mapValues(padding, own => ({ ...defaults.padding, ...own })) }),
  };
}

function mapValues<T, R>(record: Readonly<Record<string, T>>, map: (value: T, key: string) => R) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]));
}

/** The image description with its defaults. */
function fillImage(
  { image }: NonNullable<CheckedOptions['preprocess']>[string],
  input: string,
): Preprocess {
  const where = `preprocess.${input}`;
  if (image === undefined) throw missing(where, 'image');
  if (image.size === undefined) throw missing(`${where}.image`, 'size');
  const [width, height] = image.size;
  const channels = image.colour === 'gray' ? 1 : 3;
  const filled: ImageSpec = {
    ...defaults.image,
    size: [width, height],
    shorter: Math.max(width, height),
    mean: new Array<number>(channels).fill(0),
    std: new Array<number>(channels).fill(1),
    ...image,
  };
  checkImage(filled, `${where}.image`);
  return { image: filled };
}

function missing(where: string, key: string): InferenceError {
  return new InferenceError('INFER_MODEL_INVALID', `"${where}": key "${key}" is missing`);
}

function checkImage({ size, shorter, colour, mean, std }: ImageSpec, where: string): void {
  const channels = colour === 'gray' ? 1 : 3;
  const wrong = (key: string, text: string) =>
    new InferenceError('INFER_MODEL_INVALID', `"${where}.${key}": expected ${text}`);
  for (const [key, values] of Object.entries({ mean, std })) {
    if (values.length !== channels) {
      throw wrong(
        key,
        `${channels} ${channels === 1 ? 'number' : 'numbers'} for colour "${colour}", got ${values.length}`,
      );
    }
  }
  if (std.includes(0)) throw wrong('std', 'numbers other than 0, got 0');
  if (shorter < Math.max(...size)) {
    throw wrong('shorter', `at least the larger of size (${Math.max(...size)}), got ${shorter}`);
  }
}

async function readPostprocess(
  directory: string,
  given: NonNullable<CheckedOptions['postprocess']>,
): Promise<Record<string, Postprocess>> {
  const filled: [string, Postprocess][] = [];
  for (const [output, { labels, ...rest }] of Object.entries(given)) {
    const lines =
      labels === undefined ? {} : { labels: await readLabels(directory, labels, output) };
    filled.push([output, { ...lines, ...defaults.postprocess, ...rest }]);
  }
  return Object.fromEntries(filled);
}

async function readLabels(directory: string, name: string, output: string): Promise<string[]> {
  const label = `"postprocess.${output}.labels"`;
  const path = await fileInside(directory, name, { label, missing: 'INFER_MODEL_INVALID' });
  const text = (await readText(path, label, labelsSizeBytes)).replace(/^\uFEFF/, '');
  if (/\.json$/i.test(name)) return labelsFromJson(text, `${label} ${quote(name)}`);
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** @source TorchServe's index_to_name.json: of an array, the last text is the name. */
function labelsFromJson(text: string, label: string): string[] {
  const parsed = parseJson(text);
  const names = 'value' in parsed ? parsed.value : undefined;
  const entries = isPlain(names) ? Object.entries(names) : [];
  const labels: string[] = [];
  for (const [index, value] of entries) {
    const name: unknown = Array.isArray(value) ? value.at(-1) : value;
    if (!/^(0|[1-9]\d{0,6})$/.test(index) || typeof name !== 'string') throw badLabels(label);
    labels[Number(index)] = name;
  }
  if (entries.length === 0 || labels.length !== entries.length) throw badLabels(label);
  return labels;
}

function badLabels(label: string): InferenceError {
  const expected = 'expected a JSON object with a name for each number of a class from 0 on';
  return new InferenceError('INFER_MODEL_INVALID', `${label}: ${expected}`);
}
