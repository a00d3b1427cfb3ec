// SPDX-License-Identifier: Apache-2.0
// Lateness of the event loop while SqueezeNet runs on every lane, against an idle process.
import { numberOf, runTrial, type Scenario, type Settings, usText } from '../scenario.js';

const goalUs = 1000;

function variants({ warmupSeconds, seconds }: Settings) {
  const trial = { model: 'squeezenet', warmupSeconds, seconds };
  const run = (engine: string) => () => runTrial('loop-delay', { ...trial, engine });
  return { ours: run('ours'), idle: run('idle'), theirs: run('onnxruntime-node') };
}

/** The scenario. */
export const loopDelay: Scenario<'ours' | 'idle' | 'theirs'> = {
  name: 'loop-delay',
  variants,
  rows: ({ ours, idle, theirs }) => {
    const moreUs = numberOf(ours, 'p99Us') - numberOf(idle, 'p99Us');
    return [
      {
        figure: 'event-loop delay p99 while SqueezeNet runs on all lanes',
        limit: `an idle process: ${usText(numberOf(idle, 'p99Us'))}`,
        goal: 'under 1 ms more',
        result: `${usText(moreUs)} more`,
        met: moreUs < goalUs,
        detail:
          `p50 ${usText(numberOf(ours, 'p50Us'))}, p99 ${usText(numberOf(ours, 'p99Us'))}, max ${usText(numberOf(ours, 'maxUs'))}; ` +
          `idle max ${usText(numberOf(idle, 'maxUs'))}; onnxruntime-node p99 ${usText(numberOf(theirs, 'p99Us'))} ` +
          '(of a timer of 1 ms)',
      },
    ];
  },
};
