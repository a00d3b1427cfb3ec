// SPDX-License-Identifier: Apache-2.0
// predict() of the micro model one at a time against the engine's C API in a loop.
import { firstAndLastCore } from '../process.js';
import {
  countText,
  numberOf,
  runCapi,
  runTrial,
  type Scenario,
  type Settings,
  usText,
} from '../scenario.js';

const goalUs = 6;

function variants(settings: Settings) {
  const [jsCore, laneCore] = firstAndLastCore();
  const { warmupSeconds, seconds } = settings;
  const trial = { model: 'micro', clients: 1, warmupSeconds, seconds };
  const ours = { ...trial, engine: 'ours' };
  const apart = { ...ours, jsCore, options: { placement: { cores: [laneCore] } } };
  return {
    ours: () => runTrial('predict', ours),
    capi: () => runCapi(settings, { model: 'micro', batch: 1, cores: [laneCore] }),
    apart: () => runTrial('predict', apart),
    oneCore: () => runTrial('predict', ours, [jsCore]),
    theirs: () => runTrial('predict', { ...trial, engine: 'onnxruntime-node' }),
  };
}

/** The scenario. */
export const single: Scenario<'ours' | 'capi' | 'apart' | 'oneCore' | 'theirs'> = {
  name: 'single',
  variants,
  rows: ({ ours, capi, apart, oneCore, theirs }) => {
    const p50Us = numberOf(ours, 'p50Us');
    const limitUs = numberOf(capi, 'p50Us');
    const other = (sample: typeof ours) => usText(numberOf(sample, 'p50Us'));
    return [
      {
        figure: 'predict() of a micro model, one at a time, p50',
        limit: `engine's C API in a loop: ${usText(limitUs)}`,
        goal: `at most ${goalUs} us more`,
        result: `${countText(p50Us - limitUs)} us more`,
        met: p50Us - limitUs <= goalUs,
        detail:
          `p50 ${usText(p50Us)}, p99 ${usText(numberOf(ours, 'p99Us'))}, p99.9 ${usText(numberOf(ours, 'p999Us'))}, ` +
          `${usText(numberOf(ours, 'cpuUs'))} CPU a call; JS and lane on a core each: p50 ${other(apart)}; ` +
          `both on one core: ${other(oneCore)}; onnxruntime-node, on the JS thread: ${other(theirs)}`,
      },
    ];
  },
};
