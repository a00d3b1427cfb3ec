// SPDX-License-Identifier: Apache-2.0
// loadModel() and the object it returns: predict, info, scale, stats, close.
import { engineLibraries, type NativeInfo, type NativeModel } from './binding.js';
import { environment, type Handle, submit } from './environment.js';
import {
  atCallerOf,
  describe,
  InferenceError,
  quote,
  stackOfCaller,
  toInferenceError,
} from './errors.js';
import { type Inputs, type InputsPlan, type NativeData, planInputs, readInputs } from './inputs.js';
import { type Postprocess, type Preprocess, readSettings, type Settings } from './manifest.js';
import type { Batching, Limits, LoadOptions } from './option_types.js';
import { maxTimeoutMs } from './options.js';
import { readScaling, type Scaling } from './scaling.js';
import { joinSignature } from './signature.js';
import { type ModelStats, readStats } from './stats.js';
import type { Signature, Tensor } from './tensor.js';

/** What a call of predict() may ask for. */
export interface PredictOptions {
  /** Aborting it takes the request out of the queue, or abandons its run: INFER_CANCELLED. */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds from the call to INFER_DEADLINE, above 0; overrides `limits.timeoutMs`. */
  readonly timeoutMs?: number | undefined;
}

/** A thread that runs the model. */
interface Lane {
  readonly core: number | null;
}

/** What is known about a loaded model; frozen, and constant but for `lanes`. */
export interface ModelInfo {
  readonly name: string;
  readonly version: string;
  /** Name of the engine, e.g. `onnxruntime`; `listDevices()` knows its version and library. */
  readonly engine: string;
  readonly devices: readonly string[];
  readonly signature: Signature;
  /** As in effect: `maxBatch` is 1 for a model whose requests cannot be joined. */
  readonly batching: Batching;
  /** The lanes that it is on now (see scale()), after close() the last ones; `core` is null for one that is not pinned. */
  readonly lanes: readonly Lane[];
  readonly limits: Limits;
  /** Absolute path of the model file. */
  readonly path: string;
  readonly preprocess?: Readonly<Record<string, Preprocess>>;
  readonly postprocess?: Readonly<Record<string, Postprocess>>;
}

/** A loaded model. Its functions need no `this`. */
export interface Model {
  /**
   * Runs the model once. Never blocks and never throws: everything that is wrong is a rejection.
   * @param inputs   for each input of the signature a tensor `{ type?, shape?, data }` or only its elements; the
   *                 shape may be left out while at most one axis is free. Elements are copied before this returns.
   * @param options  deadline and cancellation; none by default, except for `limits.timeoutMs`.
   * @returns        a tensor for each output, by name.
   * @throws         INFER_BAD_INPUT, INFER_CLOSED, INFER_QUEUE_FULL, INFER_DEADLINE, INFER_CANCELLED,
   *                 INFER_ENGINE_FAILED.
   */
  predict(inputs: Inputs, options?: PredictOptions): Promise<Record<string, Tensor>>;
  readonly info: ModelInfo;
  /**
   * Places the model on other lanes while it serves, for every handle that shares it. No request is lost: a lane that
   * it leaves ends its run, and the lanes that it is on then serve what waits.
   * @param to  `{ lanes }`: how many, from 1 to as many as `listDevices().cores`; those it has stay where they can.
   *            `{ cores }`: a lane on each of these cores, and on no other.
   * @returns   settles when the model is on its new lanes; `info.lanes` then names them.
   * @throws    INFER_BAD_INPUT, INFER_CLOSED, and INFER_INTERNAL when a thread cannot be started; the model then stays
   *            where it is.
   */
  scale(to: Scaling): Promise<void>;
  /** A snapshot of the counters; after close() the last one. */
  stats(): ModelStats;
  /**
   * Refuses new requests (INFER_CLOSED), lets the accepted ones finish, then frees the model.
   * @returns  always the same promise, however often it is called.
   */
  close(): Promise<void>;
}

/**
 * Loads a model, on a thread of its own.
 * @param path     of a model file, or of a directory with a model.json or exactly one model file. Relative paths
 *                 start at the working directory.
 * @param options  any key of model.json, which it overrides, and `enginePath`; see docs/options.md.
 * @returns        the model, ready to predict.
 * @throws         INFER_BAD_INPUT, INFER_MODEL_NOT_FOUND, INFER_MODEL_INVALID, INFER_ENGINE_UNAVAILABLE,
 *                 INFER_DEVICE_UNAVAILABLE.
 */
export async function loadModel(path: string, options?: LoadOptions): Promise<Model> {
  const stack = stackOfCaller(loadModel);
  try {
    const settings = await readSettings(path, options);
    if (settings.placement.device !== 'cpu') throw noDevice(settings.placement.device);
    const native = await environment().load(loadRequest(settings));
    try {
      return createModel(settings, native);
    } catch (error) {
      await native.close();
      throw error;
    }
  } catch (reason) {
    const error = toInferenceError(reason);
    error.stack = `${error.name}: ${error.message}${stack}`;
    throw error;
  }
}

function noDevice(device: string): InferenceError {
  return new InferenceError(
    'INFER_DEVICE_UNAVAILABLE',
    `placement.device: this version runs models on "cpu", got ${quote(device)}`,
  );
}

function loadRequest(settings: Settings) {
  const { engine, file, name, batching, placement, warmup } = settings;
  const { lanes, cores, threadsPerRun } = placement;
  const libraries = engineLibraries(settings.enginePath);
  const lists = {
    buckets: batching.buckets ?? [],
    preferred: batching.preferred ?? [],
    padding: Object.entries(batching.padding ?? {}).map(([input, own]) => {
      return { input, value: own.value, mask: own.mask ?? '' };
    }),
  };
  const declared = settings.inputs ?? [];
  const threads = { lanes, cores, threadsPerRun };
  return { engine, libraries, file, name, ...batching, ...lists, ...threads, warmup, declared };
}

function createModel(settings: Settings, native: NativeModel): Model {
  const facts = native.info();
  const described = deepFreeze(describeModel(settings, facts));
  const { inputs, outputs } = described.signature;
  const handle: Handle = { native, outputs, inFlight: 0, onIdle: undefined };
  const plan = planInputs(inputs, {
    ...rowLimit(described, facts.batchable),
    batchable: facts.batchable,
    optional: masksOf(described),
  });
  const closing = closer(handle);
  const info = Object.freeze(
    Object.defineProperty({ ...described }, 'lanes', {
      get: () => closing.last()?.lanes ?? readLanes(native),
      enumerable: true,
    }) as ModelInfo,
  );
  return {
    predict: predictor({ handle, plan, info, isClosed: closing.started }),
    info,
    scale: scaler(native, info.name, closing.started),
    stats: () => closing.last()?.stats ?? readStats(native.stats()),
    close: closing.close,
  };
}

function readLanes(native: NativeModel): readonly Lane[] {
  return deepFreeze(native.lanes().map(core => ({ core: core < 0 ? null : core })));
}

/** Makes scale() of one model. */
function scaler(native: NativeModel, name: string, isClosed: () => boolean): Model['scale'] {
  const scale: Model['scale'] = async to => {
    try {
      if (isClosed()) throw closedError(name, 'scale');
      const placement = await readScaling(to);
      await native.scale(placement);
    } catch (error) {
      throw toInferenceError(error);
    }
  };
  return scale;
}

/** The most rows of one request, and the key that says so. */
function rowLimit({ limits, batching }: Omit<ModelInfo, 'lanes'>, batchable: boolean) {
  const most = limits.maxRows ?? Number.POSITIVE_INFINITY;
  return batching.mode === 'triton' && batchable && batching.maxBatch < most
    ? { maxRows: batching.maxBatch, maxRowsKey: 'batching.maxBatch' }
    : { maxRows: most, maxRowsKey: 'limits.maxRows' };
}

/** The inputs that the addon makes when a caller leaves them out. */
function masksOf({ batching }: Pick<ModelInfo, 'batching'>): readonly string[] {
  return Object.values(batching.padding ?? {}).flatMap(({ mask }) => mask ?? []);
}

function describeModel(settings: Settings, facts: NativeInfo): Omit<ModelInfo, 'lanes'> {
  const { name, version, batching, limits, file, preprocess, postprocess } = settings;
  return {
    name,
    version,
    engine: facts.engine,
    devices: facts.devices,
    signature: joinSignature(settings, { inputs: facts.inputs, outputs: facts.outputs }),
    batching: { ...batching, maxBatch: facts.maxBatch },
    limits,
    path: file,
    ...(preprocess === undefined ? {} : { preprocess }),
    ...(postprocess === undefined ? {} : { postprocess }),
  };
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === 'object' && part !== null) deepFreeze(part);
  }
  return Object.freeze(value);
}

/** close() of one handle, with what the rest of the model has to know about it. */
function closer(handle: Handle) {
  let closed: Promise<void> | undefined;
  let last: { readonly stats: ModelStats; readonly lanes: readonly Lane[] } | undefined;
  const close = async () => {
    if (handle.inFlight > 0) await new Promise<void>(resolve => (handle.onIdle = resolve));
    last = { stats: readStats(handle.native.stats()), lanes: readLanes(handle.native) };
    await handle.native.close();
  };
  return {
    started: () => closed !== undefined,
    last: () => last,
    close: () => (closed ??= close()),
  };
}

interface PredictContext {
  readonly handle: Handle;
  readonly plan: InputsPlan;
  readonly info: ModelInfo;
  readonly isClosed: () => boolean;
}

/** Makes predict() of one model. */
function predictor({ handle, plan, info, isClosed }: PredictContext): Model['predict'] {
  const usualTimeoutMs = info.limits.timeoutMs ?? 0;
  const predict: Model['predict'] = (inputs, options) =>
    new Promise<Record<string, Tensor>>((resolve, reject) => {
      try {
        if (isClosed()) throw closedError(info.name, 'predict');
        let timeoutMs = usualTimeoutMs;
        let signal: AbortSignal | undefined;
        if (options !== undefined) {
          checkPredictOptions(options);
          timeoutMs = options.timeoutMs ?? usualTimeoutMs;
          signal = options.signal;
          if (signal?.aborted) throw abortedError(signal);
        }
        const data: NativeData[] = [];
        const shapes: number[] = [];
        readInputs(plan, inputs, data, shapes);
        if (signal?.aborted) throw abortedError(signal); // by a getter of the inputs
        submit({ handle, resolve, reject, signal, timer: undefined }, data, shapes, timeoutMs);
      } catch (error) {
        reject(atCallerOf(predict, toInferenceError(error, 'INFER_BAD_INPUT')));
      }
    }).then(undefined, rethrow);
  return predict;
}

/**
 * Turns what the addon reported into an InferenceError. Making it here, in a reaction to the promise that the
 * caller awaits, lets V8 add the caller's frames ("at async ..."); a stack taken in every predict() would cost
 * several microseconds each, also when nothing fails.
 */
function rethrow(reason: unknown): never {
  if (reason instanceof InferenceError) throw reason;
  throw atCallerOf(rethrow, toInferenceError(reason));
}

function closedError(name: string, call: 'predict' | 'scale'): InferenceError {
  return new InferenceError(
    'INFER_CLOSED',
    `model ${quote(name)}: closed before this call of ${call}()`,
  );
}

function abortedError(signal: AbortSignal): InferenceError {
  const extra = { cause: signal.reason as unknown };
  return new InferenceError('INFER_CANCELLED', 'option "signal": aborted before the call', extra);
}

function checkPredictOptions(options: unknown): asserts options is PredictOptions {
  if (typeof options !== 'object' || options === null) {
    throw badOption('options: expected an object with "signal", "timeoutMs"', options);
  }
  for (const key of Object.keys(options)) {
    if (key !== 'signal' && key !== 'timeoutMs') {
      throw badOption('options: expected only "signal", "timeoutMs"', key);
    }
  }
  const { signal, timeoutMs } = options as { signal?: unknown; timeoutMs?: unknown };
  if (
    timeoutMs !== undefined &&
    !(typeof timeoutMs === 'number' && timeoutMs > 0 && timeoutMs <= maxTimeoutMs)
  ) {
    throw badOption(
      `option "timeoutMs": expected a number of milliseconds above 0 up to ${maxTimeoutMs}`,
      timeoutMs,
    );
  }
  if (signal !== undefined && !isAbortSignal(signal)) {
    throw badOption('option "signal": expected an AbortSignal', signal);
  }
}

/** By shape rather than by class, so that a signal of another realm or a polyfill serves as well. */
function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false;
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>;
  return (
    typeof aborted === 'boolean' &&
    typeof addEventListener === 'function' &&
    typeof removeEventListener === 'function'
  );
}

function badOption(expected: string, got: unknown): InferenceError {
  return new InferenceError('INFER_BAD_INPUT', `${expected}, got ${describe(got)}`);
}
