// SPDX-License-Identifier: Apache-2.0
// What the worker threads of these tests do: workerData names the task, messages say how far it is.
import { parentPort, workerData } from 'node:worker_threads';
import { loadModel } from '../../lib/index.js';
import { fixture } from '../helpers.js';
import { isRow, spinBody, spinRow } from './spin.js';
import { doEverything } from './stress.js';

const rowsPerSharer = 40;

/** Says `message` to the parent. */
function tell(message: unknown): void {
  parentPort?.postMessage(message);
}

/** Waits for the parent's next message. */
function told(): Promise<unknown> {
  return new Promise(resolve => parentPort?.once('message', resolve));
}

/** Fills the queue with long runs and says so; the parent is to end this thread before they are done. */
async function flood(): Promise<void> {
  const model = await loadModel(fixture('spin_batch.onnx'));
  const replies = Array.from({ length: 64 }, () => model.predict({ x: spinRow(20_000) }));
  setImmediate(tell, 'busy'); // by then they are in the queue
  await Promise.all(replies);
}

/** Has many large bodies read; the parent is to end this thread before they are. */
async function read(): Promise<void> {
  const model = await loadModel(fixture('spin_batch.onnx'));
  const body = spinBody(spinRow(100), true);
  const replies = Array.from({ length: 64 }, () => model.predictJson(body));
  tell('busy');
  await Promise.all(replies);
}

/** Has one large body read, and does not come to take what was read of it before the parent lets it. */
async function hold(gate: Int32Array): Promise<void> {
  const model = await loadModel(fixture('spin_batch.onnx'), { batching: { maxQueueBytes: 1000 } });
  const answer = model.predictJson(spinBody(spinRow(2), true));
  tell('held');
  Atomics.wait(gate, 0, 0);
  await answer;
  await model.close();
}

/** Asks many rows of its own of a model that others use too, and reports whether each came back to it. */
async function share(mark: number): Promise<void> {
  const model = await loadModel(fixture('spin_batch.onnx'));
  const rows = Array.from({ length: rowsPerSharer }, (_, i) => spinRow(100, mark * 1000 + i));
  const answers = await Promise.all(rows.map(x => model.predict({ x })));
  const right = answers.filter(({ y }, i) => isRow(y?.data, rows[i] as Float32Array)).length;
  const heard = told(); // the model stays loaded until the parent has looked at it
  tell(right);
  await heard;
  await model.close();
}

/** Starts many loads at once; the parent is to end this thread while they go on. */
async function load(): Promise<void> {
  const loads = Array.from({ length: 12 }, (_, i) =>
    loadModel(fixture('spin_batch.onnx'), { batching: { maxQueue: 100 + i } }),
  );
  await Promise.race(loads);
  tell('loading'); // one is there, so the others are on their way
  await Promise.all(loads);
}

/** Ends the process from here, with work in flight. */
async function exit(): Promise<void> {
  const model = await loadModel(fixture('spin_batch.onnx'));
  for (let i = 0; i < 8; i++) void model.predict({ x: spinRow(1_000_000) });
  setImmediate(() => process.exit(0));
}

/** Makes the engine fail, which it also writes to its log. */
async function fail(): Promise<void> {
  const model = await loadModel(fixture('gather.onnx'));
  await model.predict({ index: new BigInt64Array([99n]) }).catch(error => tell(error.code));
  await model.close();
}

/** Does everything at random for `seconds` and reports what happened. */
async function stress(seed: number, seconds = 1): Promise<void> {
  tell(await doEverything(seed, seconds));
}

const tasks = { flood, read, share, load, exit, fail, stress };

/** What a worker of these tests is given. */
export interface Task {
  readonly name: keyof typeof tasks;
  readonly mark: number;
  readonly seconds?: number;
}

/** The other task: see hold(). */
export interface Held {
  readonly gate: Int32Array;
}

export { rowsPerSharer };

if (parentPort !== null) {
  const given = workerData as Task | Held;
  if ('gate' in given) await hold(given.gate);
  else await tasks[given.name](given.mark, given.seconds);
}
