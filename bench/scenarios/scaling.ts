// SPDX-License-Identifier: Apache-2.0
// A model that is scaled up and down a hundred times while it serves: no request fails, and memory stays.
import { allowedCores } from '../process.js';
import { countText, numberOf, runTrial, type Scenario } from '../scenario.js';

const scalings = 100;
const goalMiB = 32;
const goalMemory = 1.1;

/** The scenario. */
export const scaling: Scenario<'wide'> = {
  name: 'scaling',
  variants: () => ({ wide: () => runTrial('scaling', { scalings }) }),
  rows: ({ wide }, trials) => {
    const failed = trials.wide.reduce((sum, own) => sum + numberOf(own, 'failed'), 0);
    const mib = (key: string) => numberOf(wide, key);
    const grownMiB = mib('afterMiB') - mib('allMiB');
    const lanes = allowedCores().length;
    return [
      {
        figure: `wide perceptron scaled ${scalings} times between 1 and ${lanes} lanes under load`,
        limit: '-',
        goal: `no failed request, memory flat within ${goalMiB} MiB`,
        result: `${failed} failed, ${countText(grownMiB)} MiB more`,
        met: failed === 0 && grownMiB <= goalMiB,
        detail: `${countText(mib('answered'))} answered a trial; resident memory it added: ${countText(mib('allMiB'))} MiB before, ${countText(mib('afterMiB'))} MiB after`,
      },
      {
        figure: `memory on ${lanes} lanes, under load`,
        limit: `on one lane: ${countText(mib('oneMiB'))} MiB`,
        goal: 'at most 10 % more',
        result: `${countText(mib('allMiB'))} MiB`,
        met: mib('allMiB') <= goalMemory * mib('oneMiB'),
        detail:
          'batches of up to 16 rows; weights are shared, and each lane keeps what its own runs need',
      },
    ];
  },
};
