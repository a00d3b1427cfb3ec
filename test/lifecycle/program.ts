// SPDX-License-Identifier: Apache-2.0
// Programs that end in one way each; the tests start them in a process of their own: program.js NAME.
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { loadModel, type Model } from '../../lib/index.js';
import { fixture, until } from '../helpers.js';
import { isRow, spinBody, spinRow } from './spin.js';
import { startWorker, stressWorkers, terminateWorkers } from './threads.js';

const spin = () => loadModel(fixture('spin_batch.onnx'));

/** Starts `count` runs of about a second each; returns when they are in the queue. */
async function occupy(model: Model, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    model.predict({ x: spinRow(1_000_000) }).catch(error => console.log(error.code));
  }
  await new Promise(resolve => setImmediate(resolve));
}

/** Threads of this process; where the system does not tell, fewer at each call. */
function threadCount(): number {
  const folder = '/proc/self/task';
  return existsSync(folder) ? readdirSync(folder).length : -performance.now();
}

/** Uses a model and drops it unclosed; what it returns keeps nothing of it alive. */
async function useAndDrop(): Promise<number> {
  const model = await spin();
  await model.predict({ x: spinRow(2) });
  return model.stats().requests;
}

/** Drops an unclosed model until the collector has given it back: then loading makes a new one. */
async function collected(): Promise<void> {
  if (globalThis.gc === undefined) throw new Error('needs --expose-gc');
  console.log(`used: ${await useAndDrop()}`);
  for (;;) {
    globalThis.gc();
    await new Promise(resolve => setImmediate(resolve));
    const fresh = await spin();
    const { requests } = fresh.stats();
    await fresh.close();
    if (requests === 0) break;
  }
  console.log('given back');
}

/** The handle goes, the requests do not: they keep what they need. */
async function collectedBusy(): Promise<void> {
  const row = spinRow(50_000);
  const answers = Array.from({ length: 4 }, async () => (await spin()).predict({ x: row }));
  const asked = await Promise.all(answers.map(async answer => [answer]));
  for (let i = 0; i < 5; i++) {
    globalThis.gc?.();
    await wait(1);
  }
  const got = await Promise.all(asked.map(([answer]) => answer));
  console.log(`right: ${got.filter(answer => isRow(answer?.['y']?.data, row)).length}`);
}

/** The addon is unloaded with its last worker unless it prevents that, and the engine still calls its log function. */
async function workersOnly(): Promise<void> {
  for (let i = 0; i < 2; i++) {
    const worker = startWorker('fail');
    worker.on('message', code => console.log(code));
    await once(worker, 'exit');
  }
  const maps = process.platform === 'linux' ? readFileSync('/proc/self/maps', 'utf8') : '';
  const gone = process.platform === 'linux' && !/inference.native.*\.node/.test(maps);
  console.log(gone ? 'unloaded' : 'in place');
}

const programs: { readonly [name: string]: () => Promise<void> } = {
  'loaded and idle': async () => {
    await spin();
    console.log('loaded');
  },
  'answered and idle': async () => {
    console.log((await useAndDrop()) === 1 ? 'answered' : 'wrong');
  },
  'ended with requests pending': async () => {
    const model = await spin();
    for (let i = 0; i < 5; i++) {
      const row = spinRow(20_000, i);
      void model.predict({ x: row }).then(({ y }) => console.log(isRow(y?.data, row)));
    }
  },
  'ended with a load pending': async () => {
    void spin().then(model => console.log(model.info.name));
  },
  'process.exit with work in flight': async () => {
    const model = await spin();
    await occupy(model, 16);
    await until(() => model.stats().inFlight > 0);
    const before = threadCount();
    process.once('exit', () => console.log(threadCount() < before ? 'joined' : 'still there'));
    process.exit(0);
  },
  'process.exit with a run that cannot be stopped': async () => {
    const model = await loadModel(fixture('one_node.onnx'));
    void model.predict({ x: new Float32Array(2 ** 24) }); // minutes
    await until(() => model.stats().inFlight > 0);
    console.log('leaving');
    process.exit(3);
  },
  'process.exit while bodies are read': async () => {
    const model = await spin();
    const body = spinBody(spinRow(2), true);
    for (let i = 0; i < 64; i++) void model.predictJson(body);
    console.log('leaving');
    process.exit(0);
  },
  'process.exit during a load': async () => {
    void spin();
    await new Promise(resolve => setTimeout(resolve, 0));
    process.exit(0);
  },
  'process.exit with busy workers': async () => {
    const workers = [startWorker('flood'), startWorker('flood')];
    await Promise.all(workers.map(worker => new Promise(resolve => worker.on('message', resolve))));
    console.log('leaving');
    process.exit(0);
  },
  'process.exit in a worker': async () => {
    startWorker('exit').on('exit', code => console.log(`worker: ${code}`));
  },
  'an uncaught error with work in flight': async () => {
    await occupy(await spin(), 16);
    throw new Error('on purpose');
  },
  'a handle that is collected': collected,
  'a handle that is collected while it works': collectedBusy,
  'workers alone with the addon': workersOnly,
  'everything at once': async () => {
    const { answered, refused } = await stressWorkers(8, Number(process.argv[3] ?? 5));
    console.log(`${answered} right answers, ${refused} refused`);
  },
  'workers ended during their loads': async () => {
    const { shared } = await terminateWorkers('load', Number(process.argv[3] ?? 10));
    await shared.close();
    console.log('done');
  },
  'workers ended while bodies are read': async () => {
    const { shared } = await terminateWorkers('read', Number(process.argv[3] ?? 20));
    await shared.close();
    console.log('done');
  },
  'workers ended at work': async () => {
    const { shared } = await terminateWorkers('flood', Number(process.argv[3] ?? 50));
    await shared.close();
    console.log('done');
  },
};

const program = programs[process.argv[2] ?? ''];
if (program === undefined) {
  throw new Error(`expected one of: ${Object.keys(programs).join(', ')}`);
}
await program();
