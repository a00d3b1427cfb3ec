// SPDX-License-Identifier: Apache-2.0
// One JSON line per event on standard error; never one per request.
import { type Logger, pino } from 'pino';
import type { LogLevel } from './config.js';
import type { Throttle } from './throttle.js';

export type Log = Logger;

/** What may wait for a reader of standard error; further lines are dropped and counted. */
const maxWaitingBytes = 1_000_000;

/**
 * The one writer of the process. Lines are handed to the system at once. When standard error is a pipe that nobody
 * reads, they wait in memory, so that a full pipe never stops the process; writing to a terminal or a file does not wait.
 */
export function createLogWriter(): (line: string) => void {
  const { stderr } = process;
  stderr.on('error', () => {}); // whoever reads our log may leave; that is no reason to stop serving
  let dropped = 0;
  return line => {
    if (stderr.writableLength > maxWaitingBytes) {
      dropped++;
      return;
    }
    if (dropped > 0) {
      const time = new Date().toISOString();
      const lost = { level: 'warn', time, event: 'log_dropped', lines: dropped };
      dropped = 0;
      stderr.write(`${JSON.stringify(lost)}\n`);
    }
    stderr.write(line);
  };
}

/**
 * @param level  least severe level that is written.
 * @param write  gets whole lines.
 */
export function createLog(level: LogLevel, write = createLogWriter()): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    { write },
  );
}

/** What was still to be said with the next line of its kind. */
export function logHeld(log: Log, of: string, throttle: Throttle): void {
  for (const { kind, held } of throttle.takeHeld()) {
    log.warn({ event: 'also_logged', of, kind, alsoSinceLast: held });
  }
}

/** One request's failure is answered where it happens; what nobody caught must not end all the others. */
export function surviveSurprises(log: Log): void {
  process.on('uncaughtException', error => log.error({ event: 'uncaught', err: error }));
  process.on('unhandledRejection', reason => log.error({ event: 'unhandled', err: reason }));
}

/** How long the end of the process waits for a reader. */
const lastReadMs = 500;

/** @returns  whether all lines are out; a pipe that nobody reads would keep the process alive. */
export function flushLog(): Promise<boolean> {
  const { stderr } = process;
  if (stderr.writableLength === 0) return Promise.resolve(true);
  return new Promise(resolve => {
    const limit = setTimeout(() => resolve(false), lastReadMs);
    stderr.write('', () => {
      clearTimeout(limit);
      resolve(true);
    });
  });
}
