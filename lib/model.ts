// SPDX-License-Identifier: Apache-2.0
// loadModel() and the object it returns: predict, predictJson, predictBytes, predictV2, info, scale, stats, close.
import { engineLibraries, type NativeInfo, type NativeModel } from './binding.js';
import { environment, type Handle } from './environment.js';
import { InferenceError, quote, stackOfCaller, toInferenceError } from './errors.js';
import { type Inputs, planInputs } from './inputs.js';
import { type Postprocess, type Preprocess, readSettings, type Settings } from './manifest.js';
import type { Batching, Limits, LoadOptions } from './option_types.js';
import { bytesPredictor, closedError, predictor, v2Predictor } from './predict.js';
import type {
  BytesOptions,
  JsonAnswer,
  JsonOptions,
  PredictOptions,
  V2Answer,
  V2Options,
} from './predict_types.js';
import { readScaling, type Scaling } from './scaling.js';
import { joinSignature } from './signature.js';
import { type ModelStats, readStats } from './stats.js';
import type { Signature, Tensor } from './tensor.js';

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
  /**
   * The same for a JSON body, as bytes in and bytes out. What is in it is read by the addon, without a JavaScript object
   * for a number, and the answer is written where the model ran. Bodies over 64 KiB are read on another thread.
   * @param body     UTF-8 in one of the forms of docs/server.md; read, or copied if large, before this returns.
   * @param options  those of predict(); `forms` that are taken, all by default; `maxResponseBytes`; `timing`.
   * @returns        the answer in the form of the body.
   * @throws         as predict(), INFER_BAD_INPUT with the JSON path of the mistake.
   */
  predictJson(body: Uint8Array, options?: JsonOptions): Promise<JsonAnswer>;
  /**
   * The same for other formats, of the body by `options.from` and of the answer by `options.to`.
   * @param input    a body, or tensors as predict() takes them.
   * @param options  those of predictJson(); `from` (json, jsonlines, csv) and `to` (json, jsonlines, csv, npy, npz).
   * @returns        the bytes of the answer.
   * @throws         as predictJson(), INFER_BAD_INPUT with the line of the mistake, or for outputs that the format of the
   *                 answer cannot hold.
   */
  predictBytes(input: Uint8Array | Inputs, options?: BytesOptions): Promise<JsonAnswer>;
  /**
   * predictJson() for what clients of Triton and KServe send: a request of the Open Inference Protocol with raw tensors
   * behind its JSON, or with none, with all parameters and messages of that protocol.
   * @param body     the JSON and the tensors; read, or copied if large, before this returns.
   * @param options  those of predict(); `headerBytes`; `maxResponseBytes`; `timing`.
   * @returns        JSON, with `headerBytes` when raw tensors follow it.
   * @throws         as predict(), INFER_BAD_INPUT in the words of Triton where it has some.
   */
  predictV2(body: Uint8Array, options?: V2Options): Promise<V2Answer>;
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
  const { number } = facts;
  const handle: Handle = { native, number, outputs, inFlight: 0, onIdle: undefined };
  const limit = rowLimit(described, facts.batchable);
  const plan = planInputs(inputs, {
    ...limit,
    batchable: facts.batchable,
    optional: masksOf(described),
  });
  native.describe({
    name: described.name,
    version: described.version,
    maxRows: Math.min(limit.maxRows, Number.MAX_SAFE_INTEGER),
    maxRowsKey: limit.maxRowsKey,
    shapes: inputs.map(({ shape }) => shape),
    labels: outputs.map(({ name }) => described.postprocess?.[name]?.labels ?? []),
  });
  const closing = closer(handle);
  const info = Object.freeze(
    Object.defineProperty({ ...described }, 'lanes', {
      get: () => closing.last()?.lanes ?? readLanes(native),
      enumerable: true,
    }) as ModelInfo,
  );
  const { name, limits } = info;
  const usualTimeoutMs = limits.timeoutMs ?? 0;
  const context = { handle, plan, name, usualTimeoutMs, isClosed: closing.started };
  return {
    predict: predictor(context),
    predictJson: bytesPredictor(context, 'predictJson'),
    predictBytes: bytesPredictor(context, 'predictBytes'),
    predictV2: v2Predictor(context),
    info,
    scale: scaler(native, name, closing.started),
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
