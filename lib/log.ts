// SPDX-License-Identifier: Apache-2.0
// Passes the log lines of engines on to whoever listens; without a listener they are dropped.
import type { LogLevel, NativeLogLine } from './binding.js';

/** One line that an engine wrote to its log. */
export interface EngineLogLine {
  readonly level: LogLevel;
  readonly engine: string;
  readonly message: string;
}

const listeners = new Set<{ readonly call: (line: EngineLogLine) => void }>();

/**
 * Listens to the log lines of all engines in this process, from now on.
 * @param listener  called on this thread, once per line. What it throws becomes an uncaught exception, as with
 *                  any event listener, and keeps no other listener from its line.
 * @returns         a function that ends it; calling it again does nothing.
 */
export function onEngineLog(listener: (line: EngineLogLine) => void): () => void {
  const entry = { call: listener };
  listeners.add(entry);
  return () => {
    listeners.delete(entry);
  };
}

/** Hands lines of the addon to the listeners. */
export function deliverLog(lines: readonly NativeLogLine[]): void {
  for (const [level, engine, message] of lines) {
    for (const entry of [...listeners]) {
      try {
        entry.call({ level, engine, message });
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
