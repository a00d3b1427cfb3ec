// SPDX-License-Identifier: Apache-2.0
// SIGTERM and SIGINT: the first asks for an orderly end, the second ends at once.
import { constants } from 'node:os';
import type { Log } from './log.js';

export interface StopSignal {
  /** Resolves at the first signal. */
  readonly requested: Promise<void>;
  /** That signal, or undefined before it. */
  readonly signal: () => NodeJS.Signals | undefined;
  /** Leaves signals to Node again. */
  readonly end: () => void;
}

const signals = ['SIGTERM', 'SIGINT'] as const;

export function watchSignals(log: Log): StopSignal {
  let first: NodeJS.Signals | undefined;
  let ask = () => {};
  const requested = new Promise<void>(resolve => {
    ask = resolve;
  });
  const listener = (signal: NodeJS.Signals) => {
    if (first !== undefined) {
      log.warn({ event: 'killed', signal });
      process.exit(128 + constants.signals[signal]);
    }
    first = signal;
    ask();
  };
  for (const signal of signals) process.on(signal, listener);
  return {
    requested,
    signal: () => first,
    end: () => {
      for (const signal of signals) process.off(signal, listener);
    },
  };
}
