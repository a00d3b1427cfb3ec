// SPDX-License-Identifier: Apache-2.0
// Trial: how late the event loop is while a model runs on every lane, or in a process that is idle.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as after } from 'node:timers/promises';
import { loadModel } from '../../lib/index.js';
import { type ModelName, modelPath, models, sampleInput } from '../models.js';
import { finish, readArguments } from '../process.js';
import { type Duration, runClients } from './clients.js';

/** What the scenario asks for. */
export interface LoopDelayTrial extends Duration {
  readonly engine: 'idle' | 'ours' | 'onnxruntime-node';
  readonly model: ModelName;
}

async function work({
  engine,
  model,
}: LoopDelayTrial): Promise<(() => Promise<unknown>) | undefined> {
  const spec = models[model];
  if (engine === 'idle') return undefined;
  if (engine === 'ours') {
    const loaded = await loadModel(modelPath(model));
    const inputs = { [spec.input]: sampleInput(spec, 1) };
    return () => loaded.predict(inputs);
  }
  const { InferenceSession, Tensor } = await import('onnxruntime-node');
  const session = await InferenceSession.create(modelPath(model), { intraOpNumThreads: 1 });
  const tensor = new Tensor('float32', sampleInput(spec, 1) as Float32Array, [1, ...spec.row]);
  return () => session.run({ [spec.input]: tensor });
}

const trial = readArguments<LoopDelayTrial>();
const { warmupSeconds, seconds } = trial;
const call = await work(trial);
// A timer of 1 ms that notes when it is really called.
const delay = monitorEventLoopDelay({ resolution: 1 });
const running = call === undefined ? undefined : runClients(8, call, { warmupSeconds, seconds });
await after(warmupSeconds * 1000);
delay.enable();
await (running ?? after(seconds * 1000));
delay.disable();
const usOf = (ns: number) => ns / 1000;
finish({
  p50Us: usOf(delay.percentile(50)),
  p99Us: usOf(delay.percentile(99)),
  p999Us: usOf(delay.percentile(99.9)),
  maxUs: usOf(delay.max),
  perSecond: (await running)?.['perSecond'] ?? 0,
});
