// SPDX-License-Identifier: Apache-2.0
// What one run produced, and how it says on what machine and how it was measured.
import type { Curves } from './curve.js';
import type { Machine } from './machine.js';
import type { Sample } from './process.js';
import type { Row, Settings } from './scenario.js';

/** Everything about one run. */
export interface Result {
  readonly date: string;
  readonly machine: Machine;
  /** The command that repeats it. */
  readonly command: string;
  readonly settings: Settings;
  readonly scenarios: readonly {
    readonly name: string;
    readonly rows: readonly Row[];
    /** Every trial of every variant. */
    readonly trials: Readonly<Record<string, readonly Sample[]>>;
  }[];
  readonly curves: Curves | undefined;
}

/** `met`, `missed`, or nothing for a row without a goal. */
export function verdict({ met }: Row): string {
  if (met === undefined) return '';
  return met ? 'met' : 'missed';
}

/** The machine and how it was measured, one fact per line. */
export function facts({ machine, settings, command, date }: Result): readonly string[] {
  const { trials, seconds, warmupSeconds } = settings;
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return [
    `${machine.cpu}, ${machine.cores.length} cores${machine.virtual ? ' of a virtual machine' : ''}, ` +
      `${machine.memoryGiB} GiB, ${machine.system}, device ${machine.device}`,
    versions.join(', '),
    `commit ${machine.commit}, ${date}, ${command}`,
    `medians of ${trials} alternating ${trials === 1 ? 'trial' : 'trials'} of ${seconds} s, ` +
      `the first ${warmupSeconds.toFixed(2)} s before that dropped as warm-up, each in a process of its own` +
      (trials < 5 ? '; fewer than five trials: a look, not a result' : ''),
    `load before the run: ${machine.loadBefore.toFixed(2)}` +
      (machine.loadBefore > 0.2 ? ' - others were using this machine' : ''),
  ];
}
