// SPDX-License-Identifier: Apache-2.0
// Throughput of predict() with many calls in flight against run() of onnxruntime-node in an equal process.
import { pairedRatios, spreadOf } from '../compare.js';
import {
  countText,
  numberOf,
  runTrial,
  type Scenario,
  type Settings,
  usText,
} from '../scenario.js';

const goal = 4;
const clients = 512;

function variants({ warmupSeconds, seconds }: Settings) {
  const trial = { model: 'micro', clients, warmupSeconds, seconds };
  return {
    ours: () => runTrial('predict', { ...trial, engine: 'ours' }),
    theirs: () => runTrial('predict', { ...trial, engine: 'onnxruntime-node' }),
  };
}

/** The scenario. */
export const versusOnnxruntimeNode: Scenario<'ours' | 'theirs'> = {
  name: 'versus-onnxruntime-node',
  variants,
  rows: ({ ours, theirs }, trials) => {
    const ratio = spreadOf(pairedRatios(trials.ours, trials.theirs, 'perSecond'));
    const rate = (sample: typeof ours) => `${countText(numberOf(sample, 'perSecond'))}/s`;
    return [
      {
        figure: `predict() throughput of a micro model, ${clients} in flight`,
        limit: `onnxruntime-node run(): ${rate(theirs)}`,
        goal: `at least ${goal} times`,
        result: `${ratio.median.toFixed(2)} times`,
        met: ratio.median >= goal,
        detail:
          `${rate(ours)}, ratio ${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)}; CPU a call ` +
          `${usText(numberOf(ours, 'cpuUs'))} against ${usText(numberOf(theirs, 'cpuUs'))}; ` +
          `p50 ${usText(numberOf(ours, 'p50Us'))}, p99 ${usText(numberOf(ours, 'p99Us'))}`,
      },
    ];
  },
};
