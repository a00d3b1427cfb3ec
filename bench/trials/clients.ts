// SPDX-License-Identifier: Apache-2.0
// Closed loop in one process: a number of clients that each await one prediction after the other.
import { createHistogram } from '../histogram.js';
import type { Sample } from '../process.js';

/** How long to run, the dropped warm-up first. */
export interface Duration {
  readonly warmupSeconds: number;
  readonly seconds: number;
}

/** One call; `client` tells callers with several models which of them it is for. */
export type Call = (client: number) => Promise<unknown>;

/**
 * Keeps `clients` calls in flight.
 * @param onTime  called with client and milliseconds of each call that began after the warm-up.
 * @returns       percentiles, calls per second, and CPU time of the whole process per call.
 */
export async function runClients(
  clients: number,
  call: Call,
  { warmupSeconds, seconds }: Duration,
  onTime?: (client: number, ms: number) => void,
): Promise<Sample> {
  const times = createHistogram();
  const loop = async (client: number, until: number, keep: boolean) => {
    for (let before = performance.now(); before < until; ) {
      await call(client);
      const after = performance.now();
      if (keep) {
        times.record(after - before);
        onTime?.(client, after - before);
      }
      before = after;
    }
  };
  const all = async (durationSeconds: number, keep: boolean) => {
    const until = performance.now() + durationSeconds * 1000;
    await Promise.all(Array.from({ length: clients }, (_, client) => loop(client, until, keep)));
  };
  await all(warmupSeconds, false);
  const cpuBefore = process.cpuUsage();
  const before = performance.now();
  await all(seconds, true);
  const wallSeconds = (performance.now() - before) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  const summary = times.summary();
  return {
    ...summary,
    perSecond: summary.count / wallSeconds,
    cpuUs: (user + system) / summary.count,
  };
}
