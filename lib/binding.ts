// SPDX-License-Identifier: Apache-2.0
// Finds and loads the addon, types its functions, explains a failed load, and lists where the engine may lie.
// The only file that loads the binary, and the only one in lib/ that reads environment variables.
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, InferenceError, type NativeError } from './errors.js';
import type { NativeData } from './inputs.js';
import type { NumericData, TensorSpec } from './tensor.js';

/** One place to look for the engine's library. A required one that fails ends the search. */
export interface NativeLibrary {
  readonly source: string;
  readonly path: string;
  readonly required: boolean;
  /** Only a copy that the process has mapped already. */
  readonly mappedOnly: boolean;
}

/** What the addon needs to load a model. */
export interface NativeLoadRequest {
  readonly engine: 'onnxruntime';
  readonly libraries: readonly NativeLibrary[];
  readonly file: string;
  readonly name: string;
  readonly maxBatch: number;
  readonly maxDelayUs: number;
  readonly mode: 'adaptive' | 'fixed' | 'triton';
  readonly maxQueue: number;
  readonly maxQueueRows: number;
  readonly maxQueueBytes: number;
  /** Ascending; empty for none. */
  readonly buckets: readonly number[];
  readonly preferred: readonly number[];
  /** `mask` is empty for none. */
  readonly padding: readonly {
    readonly input: string;
    readonly value: number;
    readonly mask: string;
  }[];
  readonly lanes: number;
  readonly cores: readonly number[];
  readonly threadsPerRun: number;
  readonly warmup: boolean;
  /** Inputs as model.json narrows them; the warm-up keeps to these shapes. */
  readonly declared: readonly Pick<TensorSpec, 'name' | 'shape'>[];
}

/** A histogram of the addon: `counts` are not cumulative and one more than `bounds`. */
export interface NativeHistogram {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
}

export interface NativeStats {
  readonly requests: number;
  readonly completed: number;
  /** By the order of errorCodes. */
  readonly errors: readonly number[];
  readonly queueDepth: number;
  readonly inFlight: number;
  readonly batches: number;
  readonly rows: number;
  readonly hungRuns: number;
  readonly paddedRows: number;
  /** Seconds that completed requests have spent. */
  readonly answered: Readonly<Record<'parse' | 'queue' | 'run' | 'format', number>>;
  /** Rows, runs, seconds of all runs of that many rows, and so on. */
  readonly runsByRows: readonly number[];
  /** Milliseconds since 1970; 0 before the first. */
  readonly lastRunAtMs: number;
  readonly queueSeconds: NativeHistogram;
  readonly runSeconds: NativeHistogram;
  readonly parseSeconds: NativeHistogram;
  readonly formatSeconds: NativeHistogram;
  readonly batchRows: NativeHistogram;
}

export interface NativeInfo {
  readonly engine: string;
  readonly devices: readonly string[];
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  readonly batchable: boolean;
  readonly maxBatch: number;
  /** By which flat requests name it. */
  readonly number: number;
}

/** What JSON bodies are read with, beside what the addon knows of the model. */
export interface NativeDescription {
  readonly name: string;
  readonly version: string;
  /** The most rows of one request, and the option that says so. */
  readonly maxRows: number;
  readonly maxRowsKey: string;
  /** Of the inputs, in the order of the signature. */
  readonly shapes: readonly (readonly number[])[];
  /** Names of the classes of each output, in the order of the signature; empty for none. */
  readonly labels: readonly (readonly string[])[];
}

/** A handle on a loaded model. */
export interface NativeModel {
  /**
   * Copies the inputs and stages the request; throws a NativeError. `deadlineMs` counts from now, 0 is none. With the
   * other three, which are those of submitJson(), the result is the bytes of an answer, else its tensors.
   */
  submit(
    id: number,
    data: readonly NativeData[],
    shapes: readonly number[],
    deadlineMs: number,
    ...answer: [] | [maxResponseBytes: number, form: number, timed: boolean]
  ): undefined;
  /** Before the first submitJson(), submitV2(), or submit() with an answer. */
  describe(description: NativeDescription): void;
  /**
   * Reads a body and stages the request; throws a NativeError. A large body is copied and read on another thread,
   * and what is wrong with it then comes as the result.
   * @param form   bits of the forms that are taken, in the order of bodyForms; from bit 8 on the index of the answer's
   *               format in answerFormats.
   * @param timed  whether the times among `facts` of start() are wanted.
   */
  submitJson(
    id: number,
    body: Uint8Array,
    deadlineMs: number,
    maxResponseBytes: number,
    form: number,
    timed: boolean,
  ): undefined;
  /**
   * The same for what clients of Triton send.
   * @param headerBytes  of the JSON in front of raw tensors, at most those of the body; 0 for the data of the only
   *                     input; undefined when all of it is JSON.
   * @returns            the milliseconds in which the request itself asks for an answer, counted from now; undefined
   *                     when it does not, or is read on another thread.
   */
  submitV2(
    id: number,
    body: Uint8Array,
    deadlineMs: number,
    maxResponseBytes: number,
    headerBytes: number | undefined,
    timed: boolean,
  ): number | undefined;
  /**
   * Queued requests leave at once, running ones are abandoned (a run is stopped when nobody waits for it any more).
   * Their completions arrive as usual, as INFER_DEADLINE when `late`, else as INFER_CANCELLED. Unknown ids are ignored.
   */
  cancel(ids: readonly number[], late: boolean): void;
  info(): NativeInfo;
  /** Core of each lane now; -1 for one that is not pinned. */
  lanes(): readonly number[];
  stats(): NativeStats;
  /** Places the model anew, for all handles; `lanes` does not count when there are `cores`. */
  scale(placement: { readonly lanes: number; readonly cores: readonly number[] }): Promise<void>;
  /** Gives this handle's share of the model back; settles when it was the last one and the memory is free. */
  close(): Promise<void>;
}

/** data0, shape0, data1, shape1, ... in the order of the signature. */
export type NativeOutputs = readonly (NumericData | readonly string[] | readonly number[])[];

/** The outputs, the text of the answer to a JSON body, or what went wrong. */
export type NativeResult = NativeOutputs | string | Uint8Array<ArrayBuffer> | NativeError;

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type NativeLogLine = readonly [level: LogLevel, engine: string, message: string];

export interface NativeEngine {
  readonly name: string;
  readonly available: boolean;
  readonly version: string;
  readonly path: string;
  readonly source: string;
  readonly devices: readonly string[];
  readonly problem?: NativeError;
  readonly tried: readonly {
    readonly source: string;
    readonly path: string;
    readonly outcome: string;
  }[];
}

export interface NativeCore {
  readonly id: number;
  /** The lowest of the cores that share its units. */
  readonly physical: number;
  readonly node: number;
}

export interface NativeDevices {
  readonly cores: readonly NativeCore[];
  readonly quota: number;
  readonly lanes: number;
  /** Of the default lanes, in their order; empty when they are not pinned. */
  readonly laneCores: readonly number[];
  readonly reason: string;
  readonly problems: readonly string[];
  readonly engines: readonly NativeEngine[];
}

/** The functions of the addon. All are called on this environment's JS thread. */
export interface NativeBinding {
  /**
   * @param completed  called when there is something in `answers`, or among the arguments, which are left out when there
   *                   is not; `facts`: of each result parse, queue, run and format in ns, and how many bytes of JSON are
   *                   in front of raw tensors; undefined when there is nothing to say.
   * @param requests   in the form of flat.ts; staged by flush(), and before a submit(), submitJson(), submitV2(), cancel() or close().
   * @param answers    in the same form; one that does not fit in comes as an argument.
   */
  start(
    completed: (
      ids?: readonly number[],
      results?: readonly NativeResult[],
      facts?: Float64Array,
    ) => void,
    log: (lines: readonly NativeLogLine[]) => void,
    requests: ArrayBuffer,
    answers: ArrayBuffer,
  ): void;
  /**
   * For process.exit(), which runs no cleanup hooks: forgets what is in flight and joins the threads. When they have not
   * ended after a second, the process ends here, with this exit code.
   */
  stop(exitCode: number): void;
  devices(libraries: readonly NativeLibrary[]): NativeDevices;
  load(request: NativeLoadRequest): Promise<NativeModel>;
  /**
   * Hands over what is staged, and what `requests` of start() holds.
   * @param here  whether a micro model may run on this thread before this returns.
   */
  flush(here: boolean): void;
}

const functionNames = ['start', 'stop', 'devices', 'load', 'flush'] as const;
const packageRoot = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
const require = createRequire(import.meta.url);

/**
 * Loads the addon: a build of this checkout, else the prebuilt one for this platform.
 * @throws  INFER_ENGINE_UNAVAILABLE, detail `addon-not-found` or `addon-not-loadable`, with platform, what was
 *          tried and what helps; INFER_INTERNAL when the file is another addon or another version's.
 */
export function loadBinding(): NativeBinding {
  const path = addonPath();
  let loaded: unknown;
  try {
    loaded = require(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : describe(error);
    throw new InferenceError(
      'INFER_ENGINE_UNAVAILABLE',
      `the addon ${path} cannot be loaded on ${platformText()}: ${reason}. ${loadRemedy(reason)}`,
      { detail: 'addon-not-loadable', cause: error },
    );
  }
  const functions = loaded as Partial<NativeBinding>;
  const missing = functionNames.find(name => typeof functions[name] !== 'function');
  if (missing !== undefined) {
    throw new InferenceError(
      'INFER_INTERNAL',
      `the addon ${path} lacks ${missing}(): it does not belong to this version of inference-native. Build or install again.`,
    );
  }
  return loaded as NativeBinding;
}

/** The path of the addon for this platform. */
function addonPath(): string {
  try {
    const finder = require('node-gyp-build') as { path(root: string): string };
    return finder.path(packageRoot);
  } catch (error) {
    const prebuilds = join(packageRoot, 'prebuilds');
    const shipped = existsSync(prebuilds) ? readdirSync(prebuilds).sort() : [];
    const has =
      shipped.length === 0
        ? 'no prebuilt addon at all'
        : `prebuilt addons for ${shipped.join(', ')}`;
    throw new InferenceError(
      'INFER_ENGINE_UNAVAILABLE',
      `no addon for ${platformText()}: looked in build/Release and prebuilds of ${packageRoot}, which has ${has}. ` +
        'Install the package on one of its platforms, or build it from a clone of its repository with "npm ci" (needs a C++20 compiler and CMake).',
      { detail: 'addon-not-found', cause: error },
    );
  }
}

/** `linux-x64 (glibc 2.36), Node 20.11.0` */
function platformText(): string {
  return `${process.platform}-${process.arch}${libcText()}, Node ${process.versions.node}`;
}

/** Which C library this process runs on; only worth the price of a report when something failed. */
function libcText(): string {
  if (process.platform !== 'linux') return '';
  // Unless told not to (since Node 20.13), a report asks the resolver for the peer of every open socket.
  const settings = process.report as typeof process.report & { excludeNetwork?: boolean };
  const { excludeNetwork = false } = settings;
  settings.excludeNetwork = true;
  const report = process.report.getReport() as { header?: { glibcVersionRuntime?: string } };
  settings.excludeNetwork = excludeNetwork;
  const version = report.header?.glibcVersionRuntime;
  return version === undefined ? ' (musl)' : ` (glibc ${version})`;
}

function loadRemedy(reason: string): string {
  if (/GLIBC(XX)?_/.test(reason)) return 'It needs a newer C library: use a newer system or image.';
  if (/ELF|wrong architecture|mach-o/i.test(reason)) {
    return 'It was built for another platform: install the package on the platform that runs it.';
  }
  if (/musl|ld-linux/.test(reason))
    return 'It was built for glibc: use an image that is not based on musl.';
  return 'Install the package again, or build it from a clone of its repository with "npm ci".';
}

/** Names of the engine's library per platform: beside others, and as the loader knows it. */
const libraryNames: { readonly [platform: string]: { file: string; loader: readonly string[] } } = {
  linux: {
    file: 'libonnxruntime.so.1',
    // Upstream's soname, Debian's (they carry the minor version), and the development link.
    loader: [
      'libonnxruntime.so.1',
      'libonnxruntime.so.1.23',
      'libonnxruntime.so.1.21',
      'libonnxruntime.so',
    ],
  },
  darwin: {
    file: 'libonnxruntime.1.dylib',
    loader: ['libonnxruntime.1.dylib', 'libonnxruntime.dylib'],
  },
};

/**
 * Where to look for ONNX Runtime, in order: the option, two environment variables, a copy already in the process,
 * the application's onnxruntime-node, the copy beside the addon, and the loader's default path.
 * @param enginePath  the option, absolute; undefined when not given.
 */
export function engineLibraries(enginePath?: string): readonly NativeLibrary[] {
  const { file, loader } = libraryNames[process.platform] ?? {
    file: 'libonnxruntime.so',
    loader: [],
  };
  const found: NativeLibrary[] = [];
  const add = (source: string, path: string | undefined, kind?: 'required' | 'mapped') => {
    if (path === undefined || path === '') return;
    found.push({ source, path, required: kind === 'required', mappedOnly: kind === 'mapped' });
  };
  add('option enginePath', enginePath, 'required');
  for (const name of ['INFERENCE_NATIVE_ORT_PATH', 'ORT_DYLIB_PATH']) {
    add(name, withDirectory(process.env[name]), 'required');
  }
  found.push({ source: 'already in this process', path: file, required: false, mappedOnly: true });
  add("the application's onnxruntime-node", applicationLibrary(file));
  add('beside the addon', join(dirname(addonPath()), file));
  for (const name of loader) add("the loader's default path", name);
  return found;
}

/** A bare name stays one, for the loader to search; anything else becomes absolute. */
function withDirectory(path: string | undefined): string | undefined {
  return path?.includes('/') ? resolve(path) : path;
}

/** The library of the onnxruntime-node that the program, or else this package, would import. */
function applicationLibrary(file: string): string | undefined {
  const program = process.argv[1] ?? join(process.cwd(), 'program.js');
  for (const from of [program, fileURLToPath(import.meta.url)]) {
    try {
      const home = dirname(createRequire(resolve(from)).resolve('onnxruntime-node/package.json'));
      const path = join(home, 'bin', 'napi-v6', process.platform, process.arch, file);
      if (existsSync(path)) return path;
    } catch {
      // Not installed where this one looks: the common case.
    }
  }
  return undefined;
}
