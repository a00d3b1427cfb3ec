// SPDX-License-Identifier: Apache-2.0
// A Poisson schedule: requests leave at their moment whether or not earlier ones have been answered.
import { seededRandom } from './onnx.js';

/** How many requests per second, and for how long. */
export interface Schedule {
  readonly rate: number;
  /** Requests of this part are sent, but do not count. */
  readonly warmupSeconds: number;
  readonly seconds: number;
}

/** What the generator itself did. */
export interface Sent {
  /** Requests that count. */
  readonly offered: number;
  /** The most that one left after its moment, in microseconds; it is part of the latency. */
  readonly lagMaxUs: number;
}

type Send = (scheduledMs: number, keep: boolean) => Promise<void>;

/**
 * Calls `send` at each moment of the schedule and returns when all calls have settled. Looks at the clock in every
 * turn of the event loop, so it keeps its core busy, and latency that callers count from `scheduledMs` includes
 * what the generator itself was late: no request waits for another one's answer, none is left out.
 */
export async function followSchedule(
  { rate, warmupSeconds, seconds }: Schedule,
  send: Send,
): Promise<Sent> {
  const random = seededRandom(20_231);
  const start = performance.now();
  const firstMs = start + warmupSeconds * 1000;
  const endMs = firstMs + seconds * 1000;
  const open = new Set<Promise<void>>();
  let offered = 0;
  let lagMaxMs = 0;
  // Gaps of a Poisson process are exponential: -ln(1 - u) / rate with u uniform in [0, 1).
  const gapMs = () => (-Math.log(1 - random()) / rate) * 1000;
  let nextMs = start + gapMs();
  const launch = (scheduledMs: number) => {
    const keep = scheduledMs >= firstMs;
    if (keep) offered++;
    lagMaxMs = Math.max(lagMaxMs, performance.now() - scheduledMs);
    const sending = send(scheduledMs, keep);
    open.add(sending);
    void sending.finally(() => open.delete(sending));
  };
  await new Promise<void>(resolve => {
    const turn = () => {
      for (const now = performance.now(); nextMs <= now && nextMs < endMs; nextMs += gapMs()) {
        launch(nextMs);
      }
      if (nextMs >= endMs) resolve();
      else setImmediate(turn);
    };
    turn();
  });
  await Promise.all(open);
  return { offered, lagMaxUs: lagMaxMs * 1000 };
}
