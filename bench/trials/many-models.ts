// SPDX-License-Identifier: Apache-2.0
// Trial: one lane that serves one model or a hundred, with the same number of clients in all.
import { createHistogram } from '../histogram.js';
import { models, sampleInput } from '../models.js';
import { finish, firstAndLastCore, pinJsThread, readArguments } from '../process.js';
import { type Duration, runClients } from './clients.js';
import { loadCopies } from './copies.js';

/** What the scenario asks for. */
export interface ManyModelsTrial extends Duration {
  readonly models: number;
  readonly clients: number;
}

const trial = readArguments<ManyModelsTrial>();
const [jsCore, laneCore] = firstAndLastCore();
// Batching would let one model do more than a hundred whatever the scheduler does.
const options = { batching: { maxBatch: 1 }, placement: { cores: [laneCore] } };
const loaded = await loadCopies(trial.models, options);
pinJsThread(jsCore);
const inputs = { x: sampleInput(models.packing, 1) };
const perModel = loaded.map(createHistogram);
const call = async (client: number) => loaded[client % loaded.length]?.predict(inputs);
const sample = await runClients(trial.clients, call, trial, (client, ms) =>
  perModel[client % perModel.length]?.record(ms),
);
finish({
  ...sample,
  worstP99Us: Math.max(...perModel.map(times => times.percentileUs(0.99))),
});
