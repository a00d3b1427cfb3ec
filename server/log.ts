// SPDX-License-Identifier: Apache-2.0
// One JSON line per event on standard error; never one per request.
import { type Logger, pino } from 'pino';
import type { LogLevel } from './config.js';

export type Log = Logger;

/** What may wait for a reader of standard error; further lines are dropped and counted. */
const maxWaitingBytes = 1_000_000;

/**
 * Lines are handed to the system at once. When standard error is a pipe that nobody reads, they wait in memory, so
 * that a full pipe never stops the process; writing to a terminal or a file does not wait.
 * @param level  least severe level that is written.
 */
export function createLog(level: LogLevel): Log {
  const { stderr } = process;
  stderr.on('error', () => {}); // whoever reads our log may leave; that is no reason to stop serving
  let dropped = 0;
  const write = (line: string) => {
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
