// SPDX-License-Identifier: Apache-2.0
// Trial: loads a model, predicts once, closes it, over and over, and watches resident memory.
import { loadModel } from '../../lib/index.js';
import { createHistogram } from '../histogram.js';
import { modelPath, models, sampleInput } from '../models.js';
import { finish, readArguments } from '../process.js';

/** What the scenario asks for. */
export interface LoadUnloadTrial {
  readonly cycles: number;
}

const samples = 100;

const { cycles } = readArguments<LoadUnloadTrial>();
const inputs = { x: sampleInput(models.micro, 1) };
const times = createHistogram();
const residentMiB: number[] = [];
for (let cycle = 1; cycle <= cycles; cycle++) {
  const before = performance.now();
  const model = await loadModel(modelPath('micro'));
  await model.predict(inputs);
  await model.close();
  times.record(performance.now() - before);
  if (cycle % Math.max(1, Math.floor(cycles / samples)) === 0) {
    residentMiB.push(process.memoryUsage.rss() / 2 ** 20);
  }
}
// The first tenth is the warm-up: heap and allocator reach their size in it.
const settled = residentMiB.slice(Math.ceil(residentMiB.length / 10));
finish({
  ...times.summary(),
  perSecond: cycles / ((times.summary().meanUs * cycles) / 1e6),
  firstMiB: settled[0] ?? 0,
  lastMiB: settled.at(-1) ?? 0,
  spreadMiB: Math.max(...settled) - Math.min(...settled),
});
