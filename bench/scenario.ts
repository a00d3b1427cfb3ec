// SPDX-License-Identifier: Apache-2.0
// What a scenario is: measurements that alternate, and rows of the table made of their medians.
import { join } from 'node:path';
import { type ModelName, modelPath, root } from './models.js';
import { runToEnd, type Sample } from './process.js';

/** How long and how often to measure. */
export interface Settings {
  readonly trials: number;
  /** Dropped at the beginning of each trial. */
  readonly warmupSeconds: number;
  readonly seconds: number;
  /** Cycles of the load and unload scenario. */
  readonly cycles: number;
  /** Trials and seconds of each point of the latency curves. */
  readonly curveTrials: number;
  readonly curveSeconds: number;
  /** The engine's library, for the program that uses its C API. */
  readonly engineLibrary: string;
}

/** One row: a figure, its goal, and what it was made of. */
export interface Row {
  /** What is measured, as in the design. */
  readonly figure: string;
  /** What it is compared with. */
  readonly limit: string;
  readonly goal: string;
  readonly result: string;
  /** undefined for a row that only informs. */
  readonly met: boolean | undefined;
  /** The numbers behind it, in one sentence. */
  readonly detail: string;
}

/** All trials of each variant, in order. */
export type Trials<K extends string> = Readonly<Record<K, readonly Sample[]>>;

export interface Scenario<K extends string = string> {
  readonly name: string;
  /** One measurement each, run in a process of its own. */
  readonly variants: (settings: Settings) => Readonly<Record<K, () => Promise<Sample>>>;
  /** Medians of the variants, and the trials they come from. */
  readonly rows: (medians: Readonly<Record<K, Sample>>, trials: Trials<K>) => readonly Row[];
}

/** Absolute path of a compiled program of bench/. */
export function programPath(name: string): string {
  return join(root, 'dist', 'bench', `${name}.js`);
}

/** Runs a trial program in a process of its own. */
export function runTrial(name: string, args: object, cores?: readonly number[]): Promise<Sample> {
  const file = programPath(`trials/${name}`);
  return runToEnd({
    file,
    args: [JSON.stringify(args)],
    ...(cores === undefined ? {} : { cores }),
  });
}

/** Where CMake puts the program that runs the C API in a loop. */
export const capiProgram = join(root, 'build', 'bench', 'capi_loop');

export interface CapiTrial {
  readonly model: ModelName;
  readonly batch: number;
  /** One thread on each. */
  readonly cores: readonly number[];
}

/** Runs the engine's C API in a loop, with everything allocated beforehand. */
export function runCapi(settings: Settings, { model, batch, cores }: CapiTrial): Promise<Sample> {
  const { engineLibrary, warmupSeconds, seconds } = settings;
  const args = [engineLibrary, modelPath(model), '--batch', batch, '--cores', cores.join(',')];
  const durations = ['--warmup', warmupSeconds, '--seconds', seconds];
  const words = [...args, ...durations].map(String);
  return runToEnd({ file: capiProgram, native: true, args: words });
}

/** A number of a sample; missing is a mistake in a scenario. */
export function numberOf(sample: Sample, key: string): number {
  const value = sample[key];
  if (value === undefined) throw new Error(`no "${key}" among ${Object.keys(sample).join(', ')}`);
  return value;
}

/** `1 234 us`, `12.3 us`: microseconds for the table. */
export function usText(us: number): string {
  return `${countText(us)} us`;
}

/** Three or four digits, thousands apart. */
export function countText(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))/g, digits === 0 ? ' ' : '');
}

/** `8.4 % more`, `1.3 % less`: a ratio to what it is compared with. */
export function moreText(ratio: number): string {
  const percent = (ratio - 1) * 100;
  return `${Math.abs(percent).toFixed(1)} % ${percent < 0 ? 'less' : 'more'}`;
}
