// SPDX-License-Identifier: Apache-2.0
// Trial: a hundred models on one lane, one of them saturated with requests that take fifty times as long.
import { setTimeout as after } from 'node:timers/promises';
import type { Model } from '../../lib/index.js';
import { createHistogram } from '../histogram.js';
import { models, sampleInput } from '../models.js';
import { finish, firstAndLastCore, pinJsThread, readArguments } from '../process.js';
import type { Duration } from './clients.js';
import { loadCopies } from './copies.js';

/** What the scenario asks for. */
export interface SlowNeighbourTrial extends Duration {
  /** Beside the saturated model; 0 to see what it does alone. */
  readonly neighbours: number;
}

// A row of many costs less than a lone one, whose model comes from cold caches: more than 50 rows for 50 times.
const slowRows = 90;
const slowClients = 8;

const { warmupSeconds, seconds, neighbours } = readArguments<SlowNeighbourTrial>();
const [jsCore, laneCore] = firstAndLastCore();
const options = { batching: { maxBatch: 1 }, placement: { cores: [laneCore] } };
const [slow, ...others] = await loadCopies(1 + neighbours, options);
pinJsThread(jsCore);
const start = performance.now();
const firstMs = start + warmupSeconds * 1000;
const endMs = firstMs + seconds * 1000;
const slowInput = { x: sampleInput(models.packing, slowRows) };
const input = { x: sampleInput(models.packing, 1) };
const times = createHistogram();

// From one answer of the slow model to another: its runs are long against the trial.
const done = { rows: 0, fromMs: 0, toMs: 0 };
let otherRows = 0;

async function saturate(): Promise<void> {
  while (performance.now() < endMs) {
    await slow?.predict(slowInput);
    const now = performance.now();
    if (now < firstMs || now > endMs) continue;
    if (done.fromMs === 0) done.fromMs = now;
    else done.rows += slowRows + otherRows;
    done.toMs = now;
    otherRows = 0;
  }
}

/** A call to each of the others in turn, with a pause: they need little of the lane. */
async function visit(): Promise<void> {
  for (let at = 0; performance.now() < endMs; at++) {
    const before = performance.now();
    await others[at % others.length]?.predict(input);
    otherRows++;
    if (before >= firstMs) times.record(performance.now() - before);
    await after(1);
  }
}

await Promise.all([
  ...Array.from({ length: slowClients }, saturate),
  ...(neighbours > 0 ? [visit()] : []),
]);

function meanRunUs(of: readonly (Model | undefined)[]): number {
  const runs = of.flatMap(model => model?.stats().runSeconds ?? []);
  const count = runs.reduce((sum, run) => sum + run.count, 0);
  return (runs.reduce((sum, run) => sum + run.sum, 0) / Math.max(count, 1)) * 1e6;
}

finish({
  ...times.summary(),
  rowsPerSecond: (done.rows * 1000) / (done.toMs - done.fromMs),
  slowRunUs: meanRunUs([slow]),
  ownRunUs: meanRunUs(others),
});
