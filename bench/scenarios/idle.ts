// SPDX-License-Identifier: Apache-2.0
// What models cost that are only loaded: CPU time of a hundred, and memory of one by its number of lanes.
import { allowedCores } from '../process.js';
import {
  countText,
  moreText,
  numberOf,
  runTrial,
  type Scenario,
  type Settings,
} from '../scenario.js';

const goalShare = 0.01;
const goalMemory = 1.1;

function variants({ warmupSeconds, seconds }: Settings) {
  const trial = { warmupSeconds, seconds };
  const lanes = allowedCores().length;
  return {
    hundred: () => runTrial('resident', { ...trial, model: 'packing', count: 100 }),
    oneLane: () => runTrial('resident', { ...trial, model: 'wide', count: 1 }),
    allLanes: () => runTrial('resident', { ...trial, model: 'wide', count: lanes }),
  };
}

/** The scenario. */
export const idle: Scenario<'hundred' | 'oneLane' | 'allLanes'> = {
  name: 'idle',
  variants,
  rows: ({ hundred, oneLane, allLanes }) => {
    const share = numberOf(hundred, 'idleShare');
    const ratio = numberOf(allLanes, 'addedMiB') / numberOf(oneLane, 'addedMiB');
    return [
      {
        figure: '100 loaded models that nobody calls',
        limit: '-',
        goal: 'under 1 % of a core',
        result: `${(share * 100).toFixed(2)} %`,
        met: share < goalShare,
        detail: `they added ${countText(numberOf(hundred, 'addedMiB'))} MiB`,
      },
      {
        figure: `memory of the wide perceptron on ${allowedCores().length} lanes`,
        limit: `on one lane: ${countText(numberOf(oneLane, 'addedMiB'))} MiB`,
        goal: 'at most 10 % more',
        result: `${countText(numberOf(allLanes, 'addedMiB'))} MiB, ${moreText(ratio)}`,
        met: ratio <= goalMemory,
        detail: 'resident memory added by loading and running it; the file has 96 MiB',
      },
    ];
  },
};
