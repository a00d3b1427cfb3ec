// SPDX-License-Identifier: Apache-2.0
// One JSON line per event on standard error; never one per request.
import { type Logger, pino } from 'pino';
import type { LogLevel } from './config.js';

export type Log = Logger;

/**
 * Writes synchronously, so that the last line is out before the process ends.
 * @param level  least severe level that is written.
 */
export function createLog(level: LogLevel): Log {
  const destination = pino.destination({ dest: 2, sync: true });
  destination.on('error', () => {}); // whoever reads our log may leave; that is no reason to stop serving
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    destination,
  );
}
