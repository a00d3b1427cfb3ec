// SPDX-License-Identifier: Apache-2.0
// Loads and unloads a model many times and looks at resident memory.
import { countText, numberOf, runTrial, type Scenario } from '../scenario.js';

const goalMiB = 32;

/** The scenario; its trials are long, so the settings say how many cycles rather than seconds. */
export const loadUnload: Scenario<'ours'> = {
  name: 'load-unload',
  variants: ({ cycles }) => ({ ours: () => runTrial('load-unload', { cycles }) }),
  rows: ({ ours }) => {
    const [spread, count] = [numberOf(ours, 'spreadMiB'), numberOf(ours, 'count')];
    return [
      {
        figure: `model load and unload, ${countText(count)} times`,
        limit: '-',
        goal: `resident memory flat within ${goalMiB} MB`,
        result: `${countText(spread)} MiB`,
        met: spread <= goalMiB,
        detail:
          `${countText(numberOf(ours, 'firstMiB'))} MiB after the first tenth, ${countText(numberOf(ours, 'lastMiB'))} MiB ` +
          `at the end; a cycle takes ${countText(numberOf(ours, 'p50Us'))} us`,
      },
    ];
  },
};
