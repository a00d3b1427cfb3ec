// SPDX-License-Identifier: Apache-2.0
// SIGTERM and SIGINT: the first asks for an orderly end, another one ends at once.
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

/**
 * The same signal again within this time is the same wish: `timeout`, shells and npm signal a process and its group,
 * so that it arrives twice.
 */
const echoMs = 1000;

/** @param now  milliseconds on a clock that only moves forward. */
export function watchSignals(log: Log, now = () => performance.now()): StopSignal {
  let first: NodeJS.Signals | undefined;
  let firstMs = 0;
  let ask = () => {};
  const requested = new Promise<void>(resolve => {
    ask = resolve;
  });
  const listener = (signal: NodeJS.Signals) => {
    if (signal === first && now() - firstMs < echoMs) return;
    if (first !== undefined) {
      log.warn({ event: 'killed', signal });
      process.exit(128 + constants.signals[signal]);
    }
    first = signal;
    firstMs = now();
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
