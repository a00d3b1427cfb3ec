// SPDX-License-Identifier: Apache-2.0
// Trial: predictions leave on a Poisson schedule whatever happens to the earlier ones; one lane, one other core.
import { InferenceError, type LoadOptions, loadModel } from '../../lib/index.js';
import { createHistogram } from '../histogram.js';
import { type ModelName, modelPath, models, sampleInput } from '../models.js';
import { finish, firstAndLastCore, pinJsThread, readArguments } from '../process.js';
import { followSchedule } from '../schedule.js';
import type { Duration } from './clients.js';

/** What the scenario asks for. */
export interface OpenLoopTrial extends Duration {
  readonly model: ModelName;
  readonly options: LoadOptions;
  /** Requests per second. */
  readonly rate: number;
  /** Of each request; 0 for none. */
  readonly timeoutMs: number;
}

interface Counts {
  good: number;
  refused: number;
  late: number;
  failed: number;
}

/** Answers that came within the deadline are good; the rest is told apart by its code. */
async function run(trial: OpenLoopTrial): Promise<Record<string, number>> {
  const spec = models[trial.model];
  const [jsCore, laneCore] = firstAndLastCore();
  const options = { ...trial.options, placement: { cores: [laneCore] } };
  const model = await loadModel(modelPath(trial.model), options);
  pinJsThread(jsCore);
  const inputs = { [spec.input]: sampleInput(spec, 1) };
  const { timeoutMs, warmupSeconds, seconds } = trial;
  const predictOptions = timeoutMs > 0 ? { timeoutMs } : undefined;
  const times = createHistogram();
  const counts: Counts = { good: 0, refused: 0, late: 0, failed: 0 };
  const send = async (scheduledMs: number, keep: boolean) => {
    try {
      await model.predict(inputs, predictOptions);
      if (!keep) return;
      const ms = performance.now() - scheduledMs;
      times.record(ms);
      if (timeoutMs > 0 && ms > timeoutMs) counts.late++;
      else counts.good++;
    } catch (error) {
      const code = error instanceof InferenceError ? error.code : '';
      if (!keep) return;
      if (code === 'INFER_QUEUE_FULL') counts.refused++;
      else if (code === 'INFER_DEADLINE') counts.late++;
      else counts.failed++;
    }
  };
  const sent = await followSchedule({ rate: trial.rate, warmupSeconds, seconds }, send);
  const { meanBatch } = model.stats();
  return {
    ...times.summary(),
    ...counts,
    ...sent,
    meanBatch,
    goodPerSecond: counts.good / seconds,
  };
}

finish(await run(readArguments<OpenLoopTrial>()));
