// SPDX-License-Identifier: Apache-2.0
// Counters by the names that Triton gives them, for dashboards and clients that know those.
import type { ErrorCode, ModelStats } from '../lib/index.js';

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface NvMetric {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly read: (stats: ModelStats) => readonly Sample[];
}

/** Triton's reasons; a code that is not here is OTHER. */
const reasons: Partial<Record<ErrorCode, string>> = {
  INFER_QUEUE_FULL: 'REJECTED',
  INFER_DEADLINE: 'REJECTED',
  INFER_CANCELLED: 'CANCELED',
  INFER_ENGINE_FAILED: 'BACKEND',
};

/** All four, also those that never came up. */
function failures({ errors }: ModelStats): Sample[] {
  const counts: Record<string, number> = { REJECTED: 0, CANCELED: 0, BACKEND: 0, OTHER: 0 };
  for (const [code, count] of Object.entries(errors)) {
    const reason = reasons[code as ErrorCode] ?? 'OTHER';
    counts[reason] = (counts[reason] ?? 0) + count;
  }
  return Object.entries(counts).map(([reason, value]) => ({ labels: { reason }, value }));
}

function microseconds(name: string, help: string, read: (stats: ModelStats) => number): NvMetric {
  const us = (stats: ModelStats) => [{ value: Math.round(read(stats) * 1e6) }];
  return { name: `nv_inference_${name}_duration_us`, type: 'counter', help, read: us };
}

export const nvMetrics: readonly NvMetric[] = [
  {
    name: 'nv_inference_request_success',
    type: 'counter',
    help: 'Requests that were answered with a result.',
    read: ({ completed }) => [{ value: completed }],
  },
  {
    name: 'nv_inference_request_failure',
    type: 'counter',
    help: 'Requests that failed, by reason.',
    read: failures,
  },
  {
    name: 'nv_inference_count',
    type: 'counter',
    help: 'Rows of all runs, without padding.',
    read: ({ rows }) => [{ value: rows }],
  },
  {
    name: 'nv_inference_exec_count',
    type: 'counter',
    help: 'Runs of the model.',
    read: ({ batches }) => [{ value: batches }],
  },
  microseconds(
    'request',
    'Time of answered requests, from their bodies to their answers.',
    stats => stats.answered.totalSeconds,
  ),
  microseconds('queue', 'Part of it before their runs.', stats => stats.answered.queueSeconds),
  microseconds(
    'compute_input',
    'Part of it in which bytes became tensors.',
    stats => stats.answered.parseSeconds,
  ),
  microseconds(
    'compute_infer',
    'Part of it in runs; each request adds the whole run that it was in.',
    stats => stats.answered.runSeconds,
  ),
  microseconds(
    'compute_output',
    'Part of it in which tensors became bytes.',
    stats => stats.answered.formatSeconds,
  ),
  {
    name: 'nv_inference_pending_request_count',
    type: 'gauge',
    help: 'Requests that wait for their runs now.',
    read: ({ queueDepth }) => [{ value: queueDepth }],
  },
];
