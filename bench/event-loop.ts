// SPDX-License-Identifier: Apache-2.0
// How late a 1 ms interval timer is while a model of about 100 ms per run keeps every lane busy; beside it the
// same loop with onnxruntime-node, and with no model at all. Each trial is a process of its own.
// Run: npm run build:ts && node dist/bench/event-loop.js [--seconds 5] [--trials 3]
import { execFileSync } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { listDevices, loadModel } from '../lib/index.js';

const file = fileURLToPath(new URL('../../test/fixtures/spin_batch.onnx', import.meta.url));
const intervalMs = 1;
const runMs = 100;
const width = 64; // of the model's rows; the first value is the number of loop trips

/** Something that runs the model once; `atOnce` calls keep it busy. */
interface Runner {
  readonly run: (trips: number) => Promise<unknown>;
  readonly atOnce: number;
}

interface Lateness {
  readonly ticks: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly runs: number;
}

function row(trips: number): Float32Array {
  const values = new Float32Array(width);
  values[0] = trips;
  return values;
}

const runners: { readonly [engine: string]: () => Promise<Runner> } = {
  'no model': async () => ({ run: () => new Promise(() => {}), atOnce: 0 }),
  'inference-native': async () => {
    const model = await loadModel(file, { batching: { maxBatch: 1 } });
    return {
      run: trips => model.predict({ x: row(trips) }),
      atOnce: 2 * listDevices().lanes, // one runs on each lane, one waits behind it
    };
  },
  'onnxruntime-node': async () => {
    const { InferenceSession, Tensor } = await import('onnxruntime-node');
    const session = await InferenceSession.create(file, { intraOpNumThreads: 1 });
    const run = (trips: number) =>
      session.run({ x: new Tensor('float32', row(trips), [1, width]) });
    return { run, atOnce: 1 }; // it computes on the JS thread, so more at once only wait
  },
};

/** Even number of loop trips that take about runMs. */
async function calibrate({ run }: Runner): Promise<number> {
  const probe = 20_000;
  await run(probe);
  const start = performance.now();
  await run(probe);
  return 2 * Math.round((probe * runMs) / (performance.now() - start) / 2);
}

/** Milliseconds by which each tick came later than intervalMs after the one before it, for `seconds`. */
function watchTimer(seconds: number): Promise<number[]> {
  const late: number[] = [];
  return new Promise(resolve => {
    const start = performance.now();
    let last = start;
    const timer = setInterval(() => {
      const now = performance.now();
      late.push(Math.max(0, now - last - intervalMs));
      last = now;
      if (now - start < seconds * 1000) return;
      clearInterval(timer);
      resolve(late);
    }, intervalMs);
  });
}

async function trial(engine: string, seconds: number): Promise<Lateness> {
  const start = runners[engine];
  if (start === undefined) throw new Error(`engine: expected ${Object.keys(runners).join(', ')}`);
  const runner = await start();
  const trips = runner.atOnce > 0 ? await calibrate(runner) : 0;
  let runs = 0;
  let stopped = false;
  const keepBusy = async () => {
    while (!stopped) {
      await runner.run(trips);
      runs++;
    }
  };
  const busy = Array.from({ length: runner.atOnce }, keepBusy);
  const late = (await watchTimer(seconds)).sort((a, b) => a - b);
  stopped = true;
  await Promise.all(busy);
  const at = (part: number) => late[Math.ceil(late.length * part) - 1] ?? 0;
  return { ticks: late.length, p50: at(0.5), p99: at(0.99), max: at(1), runs };
}

function printTable(trials: number, seconds: number): void {
  const [cpu] = cpus();
  const engine = listDevices().engines.map(({ name, version }) => `${name} ${version}`);
  console.log(
    `${cpus().length} x ${cpu?.model}, Node ${process.versions.node}, ${engine.join()}; ${seconds} s a trial`,
  );
  console.log('lateness of a 1 ms timer in ms  |    p50 |    p99 |    max | ticks | runs');
  const script = fileURLToPath(import.meta.url);
  for (let i = 0; i < trials; i++) {
    for (const name of Object.keys(runners)) {
      const args = [script, '--engine', name, '--seconds', String(seconds)];
      const { p50, p99, max, ticks, runs } = JSON.parse(
        execFileSync(process.execPath, args, { encoding: 'utf8' }),
      ) as Lateness;
      const times = [p50, p99, max].map(time => time.toFixed(2).padStart(6)).join(' | ');
      const counts = `${String(ticks).padStart(5)} | ${String(runs).padStart(4)}`;
      console.log(`${name.padEnd(31)} | ${times} | ${counts}`);
    }
  }
}

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    trials: { type: 'string', default: '3' },
    engine: { type: 'string' },
  },
});
const seconds = Number(values.seconds);
if (values.engine === undefined) printTable(Number(values.trials), seconds);
else console.log(JSON.stringify(await trial(values.engine, seconds)));
