// SPDX-License-Identifier: Apache-2.0
// Starts workers and ends them in the middle of their work, while this thread keeps predicting.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { loadModel, type Model } from '../../lib/index.js';
import { fixture } from '../helpers.js';
import { isRow, spinRow } from './spin.js';
import type { Tally } from './stress.js';
import type { Held, Task } from './worker.js';

/** Starts a worker on one task of worker.ts. */
export function startWorker(name: Task['name'], mark = 0, seconds = 0): Worker {
  return startTask({ name, mark, seconds });
}

/** Starts a worker on any task. */
export function startTask(task: Task | Held): Worker {
  return new Worker(new URL('./worker.js', import.meta.url), {
    workerData: task,
    execArgv: [], // without the hooks of a test runner, which slow its start down a lot
    env: { ...process.env, NODE_OPTIONS: '' },
  });
}

/**
 * Lets environments do everything at random at the same time.
 * @param environments  worker threads.
 * @throws              the first wrong answer or unexpected error of any.
 */
export async function stressWorkers(environments: number, seconds: number): Promise<Tally> {
  const workers = Array.from({ length: environments }, (_, i) =>
    startWorker('stress', i + 1, seconds),
  );
  const exits = workers.map(worker => once(worker, 'exit'));
  const tallies = (await Promise.all(workers.map(worker => once(worker, 'message')))) as [Tally][];
  await Promise.all(exits);
  return {
    answered: tallies.reduce((sum, [{ answered }]) => sum + answered, 0),
    refused: tallies.reduce((sum, [{ refused }]) => sum + refused, 0),
  };
}

/** Predicts until told to stop, alternating between two models; resolves to the number of right answers. */
function keepPredicting(models: readonly Model[]): () => Promise<number> {
  let stopped = false;
  const loop = async () => {
    let right = 0;
    for (let i = 0; !stopped; i++) {
      const row = spinRow(200, i % 1000);
      const answers = await Promise.all(models.map(model => model.predict({ x: row })));
      if (!answers.every(({ y }) => isRow(y?.data, row))) throw new Error(`answer ${i} is wrong`);
      right++;
    }
    return right;
  };
  const done = loop();
  return () => {
    stopped = true;
    return done;
  };
}

/**
 * Terminates workers one after the other as soon as each says that it is busy, while this thread predicts with the
 * model that they use and with one of its own.
 * @returns  how many predictions this thread made, all of them right, and the shared model, still loaded.
 * @throws   when one was wrong or failed.
 */
export async function terminateWorkers(
  task: 'flood' | 'load' | 'read',
  times: number,
): Promise<{ predictions: number; shared: Model }> {
  const shared = await loadModel(fixture('spin_batch.onnx'));
  const own = await loadModel(fixture('spin_batch.onnx'), { batching: { maxQueue: 64 } });
  const stop = keepPredicting([shared, own]);
  for (let i = 0; i < times; i++) {
    const worker = startWorker(task);
    await once(worker, 'message');
    await worker.terminate();
  }
  const predictions = await stop();
  await own.close();
  return { predictions, shared };
}
