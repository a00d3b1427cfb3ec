// SPDX-License-Identifier: Apache-2.0
// Counts times in buckets under 1 % wide, so that a run of any length keeps its percentiles in 64 kB.

/** Percentiles of the recorded times, in microseconds. */
export interface Summary {
  readonly count: number;
  readonly meanUs: number;
  readonly p50Us: number;
  readonly p90Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
}

export interface Histogram {
  /** Adds one time in milliseconds, the unit of performance.now(); a negative one counts as 0. */
  record(ms: number): void;
  /** The time that `share` (0 to 1) of all recorded times do not exceed, in microseconds; 0 when empty. */
  percentileUs(share: number): number;
  summary(): Summary;
}

// Each power of two of nanoseconds is cut into this many equal buckets: 1/128 is below 0.8 %.
const perPower = 128;
const powers = 44;

function bucketOf(ns: number): number {
  if (ns < perPower) return ns;
  const power = Math.floor(Math.log2(ns));
  const shift = power - 7;
  return Math.min(
    (shift + 1) * perPower + Math.floor(ns / 2 ** shift) - perPower,
    perPower * powers - 1,
  );
}

/** The middle of a bucket, in nanoseconds. */
function middleOf(bucket: number): number {
  if (bucket < perPower) return bucket;
  const shift = Math.floor(bucket / perPower) - 1;
  return ((bucket % perPower) + perPower + 0.5) * 2 ** shift;
}

/** An empty histogram. */
export function createHistogram(): Histogram {
  const counts = new Uint32Array(perPower * powers);
  let count = 0;
  let sumMs = 0;
  let maxMs = 0;
  const percentileUs = (share: number): number => {
    const rank = Math.max(1, Math.ceil(share * count));
    let seen = 0;
    for (let bucket = 0; bucket < counts.length; bucket++) {
      seen += counts[bucket] ?? 0;
      if (seen >= rank) return Math.min(middleOf(bucket) / 1000, maxMs * 1000);
    }
    return 0;
  };
  return {
    record: ms => {
      const bucket = bucketOf(Math.max(0, Math.round(ms * 1e6)));
      counts[bucket] = (counts[bucket] ?? 0) + 1;
      count++;
      sumMs += ms;
      if (ms > maxMs) maxMs = ms;
    },
    percentileUs,
    summary: () => ({
      count,
      meanUs: count === 0 ? 0 : (sumMs * 1000) / count,
      p50Us: percentileUs(0.5),
      p90Us: percentileUs(0.9),
      p99Us: percentileUs(0.99),
      p999Us: percentileUs(0.999),
      maxUs: maxMs * 1000,
    }),
  };
}
