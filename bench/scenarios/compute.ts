// SPDX-License-Identifier: Apache-2.0
// SqueezeNet with every lane busy against the C API with a thread on each of the same cores.
import { pairedRatios, spreadOf } from '../compare.js';
import { allowedCores } from '../process.js';
import {
  countText,
  numberOf,
  runCapi,
  runTrial,
  type Scenario,
  type Settings,
  usText,
} from '../scenario.js';

const goal = 0.97;

function variants(settings: Settings) {
  const cores = allowedCores();
  const { warmupSeconds, seconds } = settings;
  // Two calls for each lane: while one runs, the next one is already there.
  const clients = cores.length * 2;
  const trial = { engine: 'ours', model: 'squeezenet', clients, warmupSeconds, seconds };
  const options = { placement: { cores } };
  return {
    ours: () => runTrial('predict', { ...trial, options }),
    capi: () => runCapi(settings, { model: 'squeezenet', batch: 1, cores }),
    unbatched: () =>
      runTrial('predict', { ...trial, options: { ...options, batching: { maxBatch: 1 } } }),
  };
}

/** The scenario. */
export const compute: Scenario<'ours' | 'capi' | 'unbatched'> = {
  name: 'compute',
  variants,
  rows: ({ ours, capi, unbatched }, trials) => {
    const perSecond = trials.capi.map(own => ({ perSecond: numberOf(own, 'rowsPerSecond') }));
    const ratio = spreadOf(pairedRatios(trials.ours, perSecond, 'perSecond'));
    const rate = (sample: typeof ours) => `${countText(numberOf(sample, 'perSecond'))}/s`;
    return [
      {
        figure: 'compute-bound model (SqueezeNet), a lane on every core, all busy',
        limit: `C API on the same cores: ${countText(numberOf(capi, 'rowsPerSecond'))}/s`,
        goal: `at least ${goal} of it`,
        result: `${ratio.median.toFixed(3)} of it`,
        met: ratio.median >= goal,
        detail:
          `${rate(ours)}, ratio ${ratio.low.toFixed(3)} to ${ratio.high.toFixed(3)}; without batching ` +
          `${rate(unbatched)}; CPU a row ${usText(numberOf(ours, 'cpuUs'))} against ${usText(numberOf(capi, 'cpuUs'))}; ` +
          `p50 ${usText(numberOf(ours, 'p50Us'))}, p99 ${usText(numberOf(ours, 'p99Us'))}`,
      },
    ];
  },
};
