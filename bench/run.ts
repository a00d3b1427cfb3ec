// SPDX-License-Identifier: Apache-2.0
// Runs the scenarios, each trial in a process of its own, and prints goal and figure side by side.
//
// npm run bench -- [--quick] [--only NAME,NAME] [--trials N] [--seconds S] [--list]
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { alternate, medians } from './compare.js';
import { type Curves, curveRows, measureCurves } from './curve.js';
import { describeMachine } from './machine.js';
import { buildModels } from './models.js';
import { buildNative, engineLibrary } from './native.js';
import type { Sample } from './process.js';
import { printRows, saveResult } from './report.js';
import type { Result } from './result.js';
import type { Row, Scenario, Settings } from './scenario.js';
import { compute } from './scenarios/compute.js';
import { encoder } from './scenarios/encoder.js';
import { httpMany, httpOne, httpOpen } from './scenarios/http.js';
import { httpThreads } from './scenarios/http-threads.js';
import { idle } from './scenarios/idle.js';
import { loadUnload } from './scenarios/load-unload.js';
import { loopDelay } from './scenarios/loop-delay.js';
import { manyModels } from './scenarios/many-models.js';
import { memoryMany, memoryOne } from './scenarios/memory.js';
import { scaling } from './scenarios/scaling.js';
import { single } from './scenarios/single.js';
import { versusOnnxruntimeNode } from './scenarios/versus-onnxruntime-node.js';

/** In the order of the table in the design; the latency curves follow as `curves`. */
const scenarios: readonly Scenario[] = [
  single,
  versusOnnxruntimeNode,
  loopDelay,
  httpMany,
  httpOne,
  compute,
  memoryMany,
  memoryOne,
  manyModels,
  loadUnload,
  idle,
  scaling,
  httpOpen,
  httpThreads,
  encoder,
];
const names = [...scenarios.map(({ name }) => name), 'curves'];

const options = {
  quick: { type: 'boolean', default: false },
  only: { type: 'string' },
  trials: { type: 'string' },
  seconds: { type: 'string' },
  list: { type: 'boolean', default: false },
} as const;

function positive(flag: string, text: string | undefined, usual: number): number {
  const value = text === undefined ? usual : Number(text);
  if (!(value > 0)) throw new Error(`--${flag}: expected a number above 0, got "${text}"`);
  return value;
}

function readSettings(values: { quick: boolean; trials?: string; seconds?: string }): Settings {
  const { quick } = values;
  const seconds = positive('seconds', values.seconds, quick ? 1 : 3);
  const trials = positive('trials', values.trials, quick ? 1 : 5);
  return {
    trials,
    seconds,
    warmupSeconds: Math.max(1, seconds / 3),
    cycles: quick ? 500 : 10_000,
    curveTrials: Math.min(trials, 3),
    curveSeconds: quick ? 1 : seconds,
    engineLibrary: engineLibrary(),
  };
}

function wantedNames(only: string | undefined): readonly string[] {
  const wanted = only?.split(',') ?? names;
  const unknown = wanted.find(name => !names.includes(name));
  if (unknown !== undefined) {
    throw new Error(`--only: no scenario "${unknown}"; there are ${names.join(', ')}`);
  }
  return wanted;
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

/** The trials of one scenario and the rows they make; a failure is a row, and the rest goes on. */
async function runScenario(scenario: Scenario, settings: Settings) {
  const { name } = scenario;
  let trials: Record<string, Sample[]> = {};
  try {
    const runs = scenario.variants(settings);
    // A trial that counts cycles instead of seconds is long; its spread is within the trial.
    const count = scenario === loadUnload ? 1 : settings.trials;
    trials = await alternate(runs, count, (variant, trial) =>
      progress(`${name}: ${variant}, trial ${trial + 1} of ${count}`),
    );
    const middle = Object.fromEntries(
      Object.entries(trials).map(([key, all]) => [key, medians(all)]),
    );
    return { name, trials, rows: scenario.rows(middle, trials) };
  } catch (error) {
    const detail = error instanceof Error ? error.message : `${error}`;
    const row: Row = { figure: name, limit: '', goal: '', result: 'failed', met: false, detail };
    return { name, trials, rows: [row] };
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options });
  if (values.list) {
    console.log(names.join('\n'));
    return;
  }
  if (availableParallelism() < 2)
    throw new Error('a benchmark needs two cores: one makes the load');
  const wanted = wantedNames(values.only);
  const machine = describeMachine();
  const settings = readSettings(values);
  progress('building models and the reference program');
  buildModels();
  buildNative();
  const results: Result['scenarios'][number][] = [];
  for (const scenario of scenarios) {
    if (wanted.includes(scenario.name)) results.push(await runScenario(scenario, settings));
  }
  let curves: Curves | undefined;
  if (wanted.includes('curves')) {
    curves = await measureCurves(settings, progress);
    results.push({ name: 'curves', rows: curveRows(curves), trials: {} });
  }
  progress('');
  const command = `npm run bench -- ${process.argv.slice(2).join(' ')}`.trim().replace(/ --$/, '');
  const date = new Date().toISOString();
  const result: Result = { date, machine, command, settings, scenarios: results, curves };
  printRows(result);
  for (const path of saveResult(result)) console.log(path);
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
