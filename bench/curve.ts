// SPDX-License-Identifier: Apache-2.0
// Latency and goodput against offered load, open loop, for the wide perceptron on one lane and three ways to batch.
import type { LoadOptions } from '../lib/index.js';
import { alternate, medians } from './compare.js';
import { firstAndLastCore, type Sample } from './process.js';
import { countText, numberOf, type Row, runTrial, type Settings } from './scenario.js';

/** Shares of the capacity that are offered. */
export const loads = [0.1, 0.3, 0.5, 0.7, 0.9, 1, 1.2, 1.5, 2, 3] as const;

/** The deadline of every request. */
export const deadlineMs = 250;

/** Ways to batch, as options of loadModel(). */
export const policies = {
  adaptive: { says: 'adaptive (maxDelayUs 0)', batching: { maxDelayUs: 0 } },
  off: { says: 'off (maxBatch 1)', batching: { maxBatch: 1 } },
  fixed: { says: 'fixed wait (maxDelayUs 5000)', batching: { maxDelayUs: 5000, mode: 'fixed' } },
} as const satisfies Record<string, { says: string; batching: LoadOptions['batching'] }>;

export type PolicyName = keyof typeof policies;

/** One point of a curve: medians at one offered load. */
export interface Point {
  readonly load: number;
  readonly offeredPerSecond: number;
  readonly goodPerSecond: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly refused: number;
  readonly late: number;
  readonly failed: number;
  readonly meanBatch: number;
  /** The most that the generator was late. */
  readonly lagMaxUs: number;
}

export interface Curves {
  /** Rows per second of 64 clients in a closed loop on the same lane: 100 %. */
  readonly capacityPerSecond: number;
  readonly deadlineMs: number;
  readonly policies: Readonly<Record<PolicyName, readonly Point[]>>;
}

function capacityTrial(settings: Settings): () => Promise<Sample> {
  const [jsCore, laneCore] = firstAndLastCore();
  const { warmupSeconds, seconds } = settings;
  const options = { placement: { cores: [laneCore] } };
  const trial = { engine: 'ours', model: 'wide', clients: 64, jsCore, options };
  return () => runTrial('predict', { ...trial, warmupSeconds, seconds });
}

function point(load: number, offeredPerSecond: number, sample: Sample): Point {
  const keys = [
    'goodPerSecond',
    'p50Us',
    'p99Us',
    'refused',
    'late',
    'failed',
    'meanBatch',
    'lagMaxUs',
  ];
  const numbers = Object.fromEntries(keys.map(key => [key, numberOf(sample, key)]));
  return { load, offeredPerSecond, ...numbers } as unknown as Point;
}

/** Measures the capacity, then each policy at each load. */
export async function measureCurves(
  settings: Settings,
  progress: (text: string) => void,
): Promise<Curves> {
  const names = Object.keys(policies) as PolicyName[];
  progress('capacity');
  const { capacity } = await alternate({ capacity: capacityTrial(settings) }, settings.curveTrials);
  const capacityPerSecond = numberOf(medians(capacity), 'perSecond');
  const points: Record<PolicyName, Point[]> = { adaptive: [], off: [], fixed: [] };
  for (const load of loads) {
    const rate = load * capacityPerSecond;
    const run = (name: PolicyName) => () => {
      const options = { batching: policies[name].batching };
      const { warmupSeconds, curveSeconds: seconds } = settings;
      const trial = { model: 'wide', options, rate, timeoutMs: deadlineMs, warmupSeconds, seconds };
      return runTrial('open-loop', trial);
    };
    const runs = { adaptive: run('adaptive'), off: run('off'), fixed: run('fixed') };
    const samples = await alternate(runs, settings.curveTrials, name =>
      progress(`${Math.round(load * 100)} % of capacity, batching ${name}`),
    );
    for (const name of names) points[name].push(point(load, rate, medians(samples[name])));
  }
  return { capacityPerSecond, deadlineMs, policies: points };
}

const envelope = 1.05;
const goodputGoal = 0.95;

/** The worst of adaptive p50 over the best p50 of the others that answer as much, up to 100 % of capacity. */
function envelopeRatio({ policies: points }: Curves): number {
  const ratios = points.adaptive.map((own, at) => {
    const rivals = [points.off[at], points.fixed[at]].filter(
      rival => rival !== undefined && rival.goodPerSecond >= 0.95 * own.goodPerSecond,
    );
    const best = Math.min(...rivals.map(rival => rival?.p50Us ?? Number.POSITIVE_INFINITY));
    return own.load <= 1 && own.p50Us > 0 ? own.p50Us / best : 0;
  });
  return Math.max(...ratios);
}

/** What the curves have to show, as rows of the table. */
export function curveRows(curves: Curves): readonly Row[] {
  const { adaptive } = curves.policies;
  const ratio = envelopeRatio(curves);
  const peak = Math.max(...adaptive.map(own => own.goodPerSecond));
  const last = adaptive.at(-1);
  const share = (last?.goodPerSecond ?? 0) / peak;
  const p99Ms = (last?.p99Us ?? 0) / 1000;
  return [
    {
      figure: 'adaptive batching, open loop up to 100 % of capacity, p50',
      limit: 'the better of no batching and a fixed wait of 5 ms',
      goal: 'at most 5 % more at any load',
      result: `${ratio.toFixed(2)} of it at the worst load`,
      met: ratio <= envelope,
      detail: `capacity of one lane ${countText(curves.capacityPerSecond)}/s; the page has the curves`,
    },
    {
      figure: 'the same at 300 % of capacity: answers in time; p99 of the answered',
      limit: `its peak: ${countText(peak)}/s; deadline ${curves.deadlineMs} ms`,
      goal: 'at least 0.95 of it; under the deadline',
      result: `${share.toFixed(2)} of it; ${p99Ms.toFixed(0)} ms`,
      met: share >= goodputGoal && p99Ms > 0 && p99Ms <= curves.deadlineMs,
      detail: `refused ${last?.refused}, too late ${last?.late}, failed ${last?.failed} in a trial`,
    },
  ];
}
