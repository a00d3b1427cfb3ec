// SPDX-License-Identifier: Apache-2.0
// A hundred models on one lane against one model on it, with a hundred clients in all.
import { pairedRatios, type Spread, spreadOf } from '../compare.js';
import { firstAndLastCore, type Sample } from '../process.js';
import {
  countText,
  numberOf,
  type Row,
  runTrial,
  type Scenario,
  type Settings,
  usText,
} from '../scenario.js';

const goal = 0.95;
const goalShares = 2;
const clients = 100;

function variants({ warmupSeconds, seconds }: Settings) {
  // The p99 of each of a hundred models takes hundreds of calls of each.
  const run = (models: number) => () =>
    runTrial('many-models', { models, clients, warmupSeconds, seconds: 4 * seconds });
  const slow = (neighbours: number) => () =>
    runTrial('slow-neighbour', { neighbours, warmupSeconds, seconds });
  const engine = (models: number) => () =>
    runTrial('sessions', { models, warmupSeconds, seconds }, [firstAndLastCore()[1]]);
  return {
    hundred: run(100),
    one: run(1),
    engineHundred: engine(100),
    engineOne: engine(1),
    beside: slow(99),
    alone: slow(0),
  };
}

/** What one saturated model does to its neighbours, and they to it. */
function neighbourRows(
  { beside, alone }: Record<'beside' | 'alone', Sample>,
  ratio: Spread,
): Row[] {
  const [slowUs, ownUs] = [numberOf(beside, 'slowRunUs'), numberOf(beside, 'ownRunUs')];
  const allowedUs = 2 * slowUs + ownUs;
  const p99Us = numberOf(beside, 'p99Us');
  return [
    {
      figure: '99 models beside a saturated one of 50 times their cost, p99',
      limit: `two of its runs and one of their own: ${usText(allowedUs)}`,
      goal: 'not longer',
      result: usText(p99Us),
      met: p99Us <= allowedUs,
      detail:
        `its run takes ${usText(slowUs)}, theirs ${usText(ownUs)}, ${(slowUs / ownUs).toFixed(0)} times; ` +
        `p50 ${usText(numberOf(beside, 'p50Us'))}, max ${usText(numberOf(beside, 'maxUs'))}`,
    },
    {
      figure: 'rows per second of that lane',
      limit: `the saturated model alone on it: ${countText(numberOf(alone, 'rowsPerSecond'))}/s`,
      goal: `at least ${goal} of it`,
      result: `${ratio.median.toFixed(2)} of it`,
      met: ratio.median >= goal,
      detail: `${countText(numberOf(beside, 'rowsPerSecond'))}/s, ratio ${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)}`,
    },
  ];
}

type Name = 'hundred' | 'one' | 'engineHundred' | 'engineOne' | 'beside' | 'alone';

/** The scenario. */
export const manyModels: Scenario<Name> = {
  name: 'many-models',
  variants,
  rows: ({ hundred, one, engineHundred, engineOne, ...slow }, trials) => {
    const engine = numberOf(engineHundred, 'perSecond') / numberOf(engineOne, 'perSecond');
    const ratio = spreadOf(pairedRatios(trials.hundred, trials.one, 'perSecond'));
    // Each of the hundred clients in turn: what a fair lane makes one of them wait.
    const shareUs = (clients * 1e6) / numberOf(one, 'perSecond');
    const worst = numberOf(hundred, 'worstP99Us') / shareUs;
    return [
      {
        figure: '100 models on one lane: throughput; worst p99 of a model',
        limit: `one model on it: ${countText(numberOf(one, 'perSecond'))}/s; fair share ${usText(shareUs)}`,
        goal: `at least ${goal} of it; under ${goalShares} fair shares`,
        result: `${ratio.median.toFixed(2)} of it; ${worst.toFixed(2)} fair shares`,
        met: ratio.median >= goal && worst < goalShares,
        detail:
          `${countText(numberOf(hundred, 'perSecond'))}/s, ratio ${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)}, ` +
          `p50 ${usText(numberOf(hundred, 'p50Us'))}, worst p99 ${usText(numberOf(hundred, 'worstP99Us'))}; ` +
          `the engine alone, 100 sessions in turn: ${engine.toFixed(2)} of one session`,
      },
      ...neighbourRows(slow, spreadOf(pairedRatios(trials.beside, trials.alone, 'rowsPerSecond'))),
    ];
  },
};
