// SPDX-License-Identifier: Apache-2.0
// Trial: what loaded models cost while nobody calls them, in memory and in CPU time.
import { setTimeout as after } from 'node:timers/promises';
import { loadModel, type Model } from '../../lib/index.js';
import { modelPath, models, sampleInput } from '../models.js';
import { allowedCores, finish, readArguments } from '../process.js';
import type { Duration } from './clients.js';
import { loadCopies } from './copies.js';

/** What the scenario asks for. */
export interface ResidentTrial extends Duration {
  /** `wide` on this many lanes, or so many small models on one. */
  readonly model: 'wide' | 'packing';
  readonly count: number;
}

const { model, count, seconds } = readArguments<ResidentTrial>();
const residentMiB = () => process.memoryUsage.rss() / 2 ** 20;
const cores = allowedCores().slice(0, model === 'wide' ? count : 1);
const placement = { cores };
const beforeMiB = residentMiB();
const loaded: readonly Model[] =
  model === 'wide'
    ? [await loadModel(modelPath('wide'), { placement })]
    : await loadCopies(count, { placement });
const inputs = { x: sampleInput(models[model], 1) };
// Every lane runs: only then does it have whatever it keeps for itself.
await Promise.all(loaded.flatMap(own => Array.from({ length: 8 }, () => own.predict(inputs))));
const readyMiB = residentMiB();
await after(500);
const cpuBefore = process.cpuUsage();
await after(seconds * 1000);
const { user, system } = process.cpuUsage(cpuBefore);
finish({ addedMiB: readyMiB - beforeMiB, idleShare: (user + system) / 1e6 / seconds });
