// SPDX-License-Identifier: Apache-2.0
// Compares alternating trials: medians, ratios with an interval; as a program, two builds of this repository.
//
// node dist/bench/compare.js OTHER_CHECKOUT [--trials 9] [--seconds 2]
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildModels, root } from './models.js';
import { runToEnd, type Sample } from './process.js';

/** The middle value; the mean of the middle two for an even count; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  const upper = sorted[Math.floor(half)] ?? Number.NaN;
  return Number.isInteger(half) ? (upper + (sorted[half - 1] ?? Number.NaN)) / 2 : upper;
}

/** The median of each number over several trials. */
export function medians(samples: readonly Sample[]): Sample {
  const keys = Object.keys(samples[0] ?? {});
  return Object.fromEntries(keys.map(key => [key, median(samples.map(own => own[key] ?? 0))]));
}

/** A median with the smallest and largest value it was taken from. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Median and range of the trials. The range of n independent values holds the true median with probability
 * 1 - 2 ** (1 - n): 94 % for five trials.
 */
export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) };
}

/** The ratio a / b of each pair of trials that ran one after the other. */
export function pairedRatios(
  a: readonly Sample[],
  b: readonly Sample[],
  key: string,
): readonly number[] {
  return a.map((own, at) => (own[key] ?? 0) / (b[at]?.[key] ?? Number.NaN));
}

/**
 * Runs each of several measurements `trials` times, alternating, every second round in reverse order, so that a
 * machine that slows down or speeds up meets all of them alike.
 */
export async function alternate<K extends string>(
  runs: Readonly<Record<K, () => Promise<Sample>>>,
  trials: number,
  progress: (name: K, trial: number) => void = () => undefined,
): Promise<Record<K, Sample[]>> {
  const names = Object.keys(runs) as K[];
  const results = Object.fromEntries(names.map(name => [name, [] as Sample[]]));
  for (let trial = 0; trial < trials; trial++) {
    for (const name of trial % 2 === 0 ? names : [...names].reverse()) {
      progress(name, trial);
      results[name]?.push(await runs[name]());
    }
  }
  return results as Record<K, Sample[]>;
}

/** What two builds are compared by: trials of predict() that need no reference. */
const tasks = [
  { name: 'one at a time', key: 'p50Us', trial: { model: 'micro', clients: 1 } },
  { name: 'many in flight', key: 'perSecond', trial: { model: 'micro', clients: 512 } },
  { name: 'wide, 64 clients', key: 'perSecond', trial: { model: 'wide', clients: 64 } },
] as const;

async function main(): Promise<void> {
  const options = { trials: { type: 'string' }, seconds: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const other = positionals[0];
  if (other === undefined) throw new Error('expected the folder of another, built checkout');
  const seconds = Number(values.seconds ?? 2);
  buildModels();
  for (const { name, key, trial } of tasks) {
    const args = { engine: 'ours', ...trial, warmupSeconds: seconds / 4, seconds };
    const run = (folder: string) => () => {
      const file = join(folder, 'dist', 'bench', 'trials', 'predict.js');
      return runToEnd({ file, args: [JSON.stringify(args)] });
    };
    const runs = { here: run(root), there: run(resolve(other)) };
    const { here, there } = await alternate(runs, Number(values.trials ?? 9));
    const { median: ratio, low, high } = spreadOf(pairedRatios(here, there, key));
    const digits = (value: number) => value.toPrecision(4);
    console.log(
      `${name}: ${key} here ${digits(median(here.map(own => own[key] ?? 0)))}, ` +
        `there ${digits(median(there.map(own => own[key] ?? 0)))}, ` +
        `here / there ${ratio.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`,
    );
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
