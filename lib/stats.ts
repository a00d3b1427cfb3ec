// SPDX-License-Identifier: Apache-2.0
// Typed snapshot of the native counters of one model.
import type { NativeHistogram, NativeStats } from './binding.js';
import { type ErrorCode, errorCodes } from './errors.js';

/** Counts by size, as Prometheus has them: each bucket counts all values up to `le`; the last `le` is Infinity. */
export interface Histogram {
  readonly count: number;
  readonly sum: number;
  readonly buckets: readonly { readonly le: number; readonly count: number }[];
}

/** Sums over requests, in seconds. */
export interface AnsweredTimes {
  readonly totalSeconds: number;
  /** Before their runs. */
  readonly queueSeconds: number;
  /** Making tensors of bodies. */
  readonly parseSeconds: number;
  /** Each request counts the whole run that it was in. */
  readonly runSeconds: number;
  /** Making bytes of outputs. */
  readonly formatSeconds: number;
}

/** The runs that had this many rows. */
export interface RunsOfRows {
  readonly rows: number;
  readonly runs: number;
  readonly seconds: number;
}

/** Counters since the model was loaded. Handles that share one loaded model share its counters. */
export interface ModelStats {
  /** Requests that were accepted into the queue. */
  readonly requests: number;
  /** Accepted requests that were answered with a result; the others are in `errors`. */
  readonly completed: number;
  /** Requests that failed, by code; codes that never came up are absent. */
  readonly errors: Readonly<Partial<Record<ErrorCode, number>>>;
  /** Requests that wait now. */
  readonly queueDepth: number;
  /** Requests that run now. */
  readonly inFlight: number;
  readonly batches: number;
  readonly rows: number;
  /** Rows of padding that runs had beside `rows`, for the sizes of `batching.buckets`. */
  readonly paddedRows: number;
  /** Rows per batch; 0 before the first. */
  readonly meanBatch: number;
  /** Runs that went on for 2 s after they were told to stop; see limits.timeoutMs in docs/options.md. */
  readonly hungRuns: number;
  /** What the completed requests have spent, in all. */
  readonly answered: AnsweredTimes;
  /** Runs by their rows, ascending, without padding; only numbers of rows that were run. */
  readonly runsByRows: readonly RunsOfRows[];
  /** When the last run ended, in milliseconds since 1970; 0 before the first. */
  readonly lastRunAtMs: number;
  /** Seconds from acceptance to the start of the run. */
  readonly queueSeconds: Histogram;
  /** Seconds of each run of a batch. */
  readonly runSeconds: Histogram;
  /** Seconds that reading a body took, of requests that came as bytes and were answered. */
  readonly parseSeconds: Histogram;
  /** Seconds that writing the answers to those took. */
  readonly formatSeconds: Histogram;
  /** Rows of each batch. */
  readonly batchRows: Histogram;
}

/**
 * Turns native counters into a snapshot.
 * @param native  as the addon reports them; seconds are seconds, rows are rows.
 */
export function readStats(native: NativeStats): ModelStats {
  const failed = errorCodes.flatMap((code, index): [ErrorCode, number][] => {
    const count = native.errors[index] ?? 0;
    return count === 0 ? [] : [[code, count]];
  });
  return {
    requests: native.requests,
    completed: native.completed,
    errors: Object.fromEntries(failed),
    queueDepth: native.queueDepth,
    inFlight: native.inFlight,
    batches: native.batches,
    rows: native.rows,
    paddedRows: native.paddedRows,
    meanBatch: native.batches === 0 ? 0 : native.rows / native.batches,
    hungRuns: native.hungRuns,
    answered: readAnswered(native.answered),
    runsByRows: readRuns(native.runsByRows),
    lastRunAtMs: native.lastRunAtMs,
    queueSeconds: readHistogram(native.queueSeconds),
    runSeconds: readHistogram(native.runSeconds),
    parseSeconds: readHistogram(native.parseSeconds),
    formatSeconds: readHistogram(native.formatSeconds),
    batchRows: readHistogram(native.batchRows),
  };
}

function readAnswered({ parse, queue, run, format }: NativeStats['answered']): AnsweredTimes {
  return {
    totalSeconds: parse + queue + run + format,
    queueSeconds: queue,
    parseSeconds: parse,
    runSeconds: run,
    formatSeconds: format,
  };
}

function readRuns(numbers: NativeStats['runsByRows']): RunsOfRows[] {
  const all: RunsOfRows[] = [];
  for (let at = 0; at < numbers.length; at += 3) {
    const [rows = 0, runs = 0, seconds = 0] = numbers.slice(at, at + 3);
    all.push({ rows, runs, seconds });
  }
  return all;
}

function readHistogram({ bounds, counts, sum }: NativeHistogram): Histogram {
  let count = 0;
  const buckets = counts.map((own, index) => {
    count += own;
    return { le: bounds[index] ?? Number.POSITIVE_INFINITY, count };
  });
  return { count, sum, buckets };
}
