// SPDX-License-Identifier: Apache-2.0
// Trial: a hundred models on one lane, one of them saturated with requests that take fifty times as long.
import { setTimeout as after } from 'node:timers/promises';
import { createHistogram } from '../histogram.js';
import { models, sampleInput } from '../models.js';
import { finish, firstAndLastCore, pinJsThread, readArguments } from '../process.js';
import type { Duration } from './clients.js';
import { loadCopies } from './copies.js';

const count = 100;
const slowRows = 50;
const slowClients = 8;

const { warmupSeconds, seconds } = readArguments<Duration>();
const [jsCore, laneCore] = firstAndLastCore();
const options = { batching: { maxBatch: 1 }, placement: { cores: [laneCore] } };
const [slow, ...others] = await loadCopies(count, options);
pinJsThread(jsCore);
const start = performance.now();
const firstMs = start + warmupSeconds * 1000;
const endMs = firstMs + seconds * 1000;
const slowInput = { x: sampleInput(models.packing, slowRows) };
const input = { x: sampleInput(models.packing, 1) };
const times = createHistogram();

async function saturate(): Promise<void> {
  while (performance.now() < endMs) await slow?.predict(slowInput);
}

/** A call to each of the others in turn, with a pause: they need little of the lane. */
async function visit(): Promise<void> {
  for (let at = 0; performance.now() < endMs; at++) {
    const before = performance.now();
    await others[at % others.length]?.predict(input);
    if (before >= firstMs) times.record(performance.now() - before);
    await after(1);
  }
}

await Promise.all([...Array.from({ length: slowClients }, saturate), visit()]);
const meanUs = (model = slow) => {
  const run = model?.stats().runSeconds;
  return run === undefined ? 0 : (run.sum / run.count) * 1e6;
};
finish({ ...times.summary(), slowRunUs: meanUs(slow), ownRunUs: meanUs(others[0]) });
