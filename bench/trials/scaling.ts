// SPDX-License-Identifier: Apache-2.0
// Trial: the wide perceptron goes from one lane to all and back while it serves: what fails, and what memory it takes.
import { loadModel } from '../../lib/index.js';
import { modelPath, models, sampleInput } from '../models.js';
import { allowedCores, finish, readArguments } from '../process.js';

/** What the scenario asks for. */
export interface ScalingTrial {
  /** From one lane to all or back, an even number. */
  readonly scalings: number;
}

const clients = 16;

const { scalings } = readArguments<ScalingTrial>();
const cores = allowedCores();
const one = { cores: cores.slice(-1) };
const residentMiB = () => process.memoryUsage.rss() / 2 ** 20;
const beforeMiB = residentMiB();
const wide = await loadModel(modelPath('wide'), { placement: one });
const inputs = { x: sampleInput(models.wide, 1) };
const count = { answered: 0, failed: 0 };
let awaited = { answers: 0, reached: () => {} };
let stopped = false;

async function client(): Promise<void> {
  while (!stopped) {
    try {
      await wide.predict(inputs);
      count.answered++;
    } catch {
      count.failed++;
    }
    if (count.answered + count.failed >= awaited.answers) awaited.reached();
  }
}

/** The next calls have ended: the lanes that the model is on now have run. */
function served(calls: number): Promise<void> {
  const answers = count.answered + count.failed + calls;
  return new Promise(reached => {
    awaited = { answers, reached };
  });
}

/** What the model takes after so many calls on these lanes. */
async function addedOn(placement: { cores: number[] }): Promise<number> {
  await wide.scale(placement);
  await served(20 * clients);
  return residentMiB() - beforeMiB;
}

const all = Promise.all(Array.from({ length: clients }, client));
const oneMiB = await addedOn(one);
const allMiB = await addedOn({ cores });
for (let at = 0; at < scalings; at++) {
  await wide.scale(at % 2 === 0 ? one : { cores });
  await served(clients);
}
const afterMiB = await addedOn({ cores });
stopped = true;
await all;
finish({ ...count, oneMiB, allMiB, afterMiB });
