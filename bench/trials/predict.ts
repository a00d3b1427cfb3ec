// SPDX-License-Identifier: Apache-2.0
// Trial: predict() of one model with a number of clients, or run() of onnxruntime-node in its place.
import { type LoadOptions, loadModel } from '../../lib/index.js';
import { type BenchModel, type ModelName, modelPath, models, sampleInput } from '../models.js';
import { finish, pinJsThread, readArguments } from '../process.js';
import { type Call, type Duration, runClients } from './clients.js';

/** What the scenario asks for. */
export interface PredictTrial extends Duration {
  readonly engine: 'ours' | 'onnxruntime-node';
  readonly model: ModelName;
  /** Calls in flight. */
  readonly clients: number;
  /** Of loadModel(). */
  readonly options?: LoadOptions;
  /** Where to keep the JS thread; anywhere when left out. */
  readonly jsCore?: number;
  /** Sizes of free axes but the first; calls take them in turn. */
  readonly free?: readonly number[];
}

interface Input {
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

/** One row for each size of the free axes. */
function inputsOf(spec: BenchModel, free: readonly number[] = [1]): readonly Input[] {
  return free.map(size => ({
    shape: [1, ...spec.row.map(own => (own < 0 ? size : own))],
    data: sampleInput(spec, 1, size),
  }));
}

/** Calls `run` with each of `values` in turn. */
function inTurn<T>(values: readonly T[], run: (value: T) => Promise<unknown>): Call {
  let next = 0;
  return async () => {
    const value = values[next++ % values.length];
    return value === undefined ? undefined : run(value);
  };
}

async function ourCall({ model, options, free }: PredictTrial): Promise<Call> {
  const spec: BenchModel = models[model];
  const loaded = await loadModel(modelPath(model), options);
  const [first, ...others] = inputsOf(spec, free).map(({ shape, data }) => ({
    [spec.input]: spec.row.includes(-1) ? { shape, data } : data,
  }));
  if (first === undefined) throw new Error('no input');
  if (others.length === 0) return () => loaded.predict(first);
  return inTurn([first, ...others], inputs => loaded.predict(inputs));
}

async function theirCall({ model, free }: PredictTrial): Promise<Call> {
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const spec: BenchModel = models[model];
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1 };
  const session = await InferenceSession.create(modelPath(model), options);
  // As an application does it: a new tensor for each call, because each call has new numbers.
  const run = ({ shape, data }: Input) =>
    session.run({ [spec.input]: new Tensor(spec.type, data as Float32Array, shape) });
  const [first, ...others] = inputsOf(spec, free);
  if (first === undefined) throw new Error('no input');
  return others.length === 0 ? () => run(first) : inTurn([first, ...others], run);
}

const trial = readArguments<PredictTrial>();
const call = await (trial.engine === 'ours' ? ourCall(trial) : theirCall(trial));
if (trial.jsCore !== undefined) pinJsThread(trial.jsCore);
finish(await runClients(trial.clients, call, trial));
