// SPDX-License-Identifier: Apache-2.0
// The wide perceptron, bound by memory: 64 clients against the best offline batch, and one client without a wait.
import { pairedRatios, spreadOf } from '../compare.js';
import { allowedCores, firstAndLastCore, type Sample } from '../process.js';
import {
  countText,
  moreText,
  numberOf,
  runCapi,
  runTrial,
  type Scenario,
  type Settings,
  usText,
} from '../scenario.js';

const goal = 0.9;
const batches = [8, 16, 32, 64, 128] as const;
type BatchName = `capi${(typeof batches)[number]}`;

function manyVariants(settings: Settings) {
  const cores = allowedCores();
  const { warmupSeconds, seconds } = settings;
  const trial = { engine: 'ours', model: 'wide', clients: 64, warmupSeconds, seconds };
  const offline = Object.fromEntries(
    batches.map(batch => [
      `capi${batch}`,
      () => runCapi(settings, { model: 'wide', batch, cores }),
    ]),
  ) as Record<BatchName, () => Promise<Sample>>;
  return {
    ours: () => runTrial('predict', { ...trial, options: { placement: { cores } } }),
    ...offline,
  };
}

/** The scenario of 64 clients. */
export const memoryMany: Scenario<'ours' | BatchName> = {
  name: 'memory-many',
  variants: manyVariants,
  rows: (medians, trials) => {
    const rows = (batch: (typeof batches)[number]) =>
      numberOf(medians[`capi${batch}`], 'rowsPerSecond');
    const best = batches.reduce((a, b) => (rows(b) > rows(a) ? b : a));
    const limit = trials[`capi${best}`].map(own => ({ perSecond: numberOf(own, 'rowsPerSecond') }));
    const ratio = spreadOf(pairedRatios(trials.ours, limit, 'perSecond'));
    const { ours } = medians;
    return [
      {
        figure: 'memory-bound model (wide perceptron), 64 clients, a lane on every core',
        limit: `C API offline at its best batch, ${best}: ${countText(rows(best))}/s`,
        goal: `at least ${goal} of it`,
        result: `${ratio.median.toFixed(2)} of it`,
        met: ratio.median >= goal,
        detail:
          `${countText(numberOf(ours, 'perSecond'))}/s, ratio ${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)}, ` +
          `p50 ${usText(numberOf(ours, 'p50Us'))}, p99 ${usText(numberOf(ours, 'p99Us'))}, ${usText(numberOf(ours, 'cpuUs'))} CPU a row; ` +
          `C API by batch: ${batches.map(batch => `${batch}: ${countText(rows(batch))}/s`).join(', ')}`,
      },
    ];
  },
};

function oneVariants(settings: Settings) {
  const [jsCore, laneCore] = firstAndLastCore();
  const { warmupSeconds, seconds } = settings;
  const trial = { engine: 'ours', model: 'wide', clients: 1, jsCore, warmupSeconds, seconds };
  const placement = { cores: [laneCore] };
  const waiting = { placement, batching: { maxDelayUs: 5000 } };
  return {
    ours: () => runTrial('predict', { ...trial, options: { placement } }),
    capi: () => runCapi(settings, { model: 'wide', batch: 1, cores: [laneCore] }),
    waiting: () => runTrial('predict', { ...trial, options: waiting }),
  };
}

/** The scenario of one client. */
export const memoryOne: Scenario<'ours' | 'capi' | 'waiting'> = {
  name: 'memory-one',
  variants: oneVariants,
  rows: ({ ours, capi, waiting }) => {
    const [p50Us, limitUs] = [numberOf(ours, 'p50Us'), numberOf(capi, 'p50Us')];
    const waitingUs = numberOf(waiting, 'p50Us');
    const allowedUs = limitUs * 1.05 + 30;
    return [
      {
        figure: 'the same at one client, p50',
        limit: `C API at batch 1: ${usText(limitUs)}`,
        goal: `within 5 % + 30 us: ${usText(allowedUs)}`,
        result: `${usText(p50Us)}, ${moreText(p50Us / limitUs)}`,
        met: p50Us <= allowedUs,
        detail: `p99 ${usText(numberOf(ours, 'p99Us'))} against ${usText(numberOf(capi, 'p99Us'))}`,
      },
      {
        figure: 'the same with maxDelayUs 5000, p50',
        limit: `without it: ${usText(p50Us)}`,
        goal: 'no wait: within 5 % + 30 us',
        result: usText(waitingUs),
        met: waitingUs <= p50Us * 1.05 + 30,
        detail: `p99 ${usText(numberOf(waiting, 'p99Us'))}; a lone client has nobody to wait for`,
      },
    ];
  },
};
