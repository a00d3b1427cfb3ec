// SPDX-License-Identifier: Apache-2.0
// How long the stages of requests take: histograms of all of them, and the header that tells of one.
import type { Histogram, JsonTiming } from '../lib/index.js';

/** Upper bounds in milliseconds, 10 us to 10 s, as the library has them in native/base/metrics.h. */
const boundsMs = [
  0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000,
];

export interface Durations {
  readonly add: (ms: number) => void;
  /** In seconds. */
  readonly read: () => Histogram;
}

export function createDurations(): Durations {
  const counts = new Array<number>(boundsMs.length + 1).fill(0);
  let sumMs = 0;
  return {
    add: ms => {
      let bucket = 0;
      while (ms > (boundsMs[bucket] ?? Number.POSITIVE_INFINITY)) bucket++;
      counts[bucket] = (counts[bucket] ?? 0) + 1;
      sumMs += ms;
    },
    read: () => {
      let count = 0;
      const buckets = counts.map((own, bucket) => {
        count += own;
        return { le: (boundsMs[bucket] ?? Number.POSITIVE_INFINITY) / 1000, count };
      });
      return { count, sum: sumMs / 1000, buckets };
    },
  };
}

/** All of them together; they have the same buckets. */
export function sumOf(histograms: readonly Histogram[]): Histogram {
  const [first, ...others] = histograms;
  if (first === undefined) return createDurations().read();
  return others.reduce(
    (total, { count, sum, buckets }) => ({
      count: total.count + count,
      sum: total.sum + sum,
      buckets: total.buckets.map(({ le, count: own }, at) => {
        return { le, count: own + (buckets[at]?.count ?? 0) };
      }),
    }),
    first,
  );
}

/** @source  W3C Server Timing: names with `dur` in milliseconds. */
export function serverTiming(acceptMs: number, times: JsonTiming | undefined): string {
  const entry = (name: string, ms: number) => `${name};dur=${ms.toFixed(3)}`;
  const accept = entry('accept', acceptMs);
  if (times === undefined) return accept;
  const { parseUs: parse, queueUs: queue, runUs: run, formatUs: format } = times;
  const stages = Object.entries({ parse, queue, run, format });
  return [accept, ...stages.map(([name, us]) => entry(name, us / 1000))].join(', ');
}
