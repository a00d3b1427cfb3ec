// SPDX-License-Identifier: Apache-2.0
// The transformer encoder, whose sequence length is free: requests of one length batch, mixed lengths do not.
import { firstAndLastCore } from '../process.js';
import {
  countText,
  numberOf,
  runTrial,
  type Scenario,
  type Settings,
  usText,
} from '../scenario.js';

const clients = 32;
const lengths = [8, 16, 24, 32];
const oneLength = [20]; // their mean

function variants({ warmupSeconds, seconds }: Settings) {
  const [jsCore, laneCore] = firstAndLastCore();
  const options = { placement: { cores: [laneCore] } };
  const trial = { engine: 'ours', model: 'encoder', clients, jsCore, warmupSeconds, seconds };
  return {
    one: () => runTrial('predict', { ...trial, options, free: oneLength }),
    mixed: () => runTrial('predict', { ...trial, options, free: lengths }),
    theirs: () => runTrial('predict', { ...trial, engine: 'onnxruntime-node', free: lengths }),
  };
}

/** The scenario; it has no goal yet. */
export const encoder: Scenario<'one' | 'mixed' | 'theirs'> = {
  name: 'encoder',
  variants,
  rows: ({ one, mixed, theirs }) => {
    const rate = (sample: typeof one) => `${countText(numberOf(sample, 'perSecond'))}/s`;
    return [
      {
        figure: `transformer encoder, sequences of ${lengths.join(', ')} mixed, ${clients} clients, one lane`,
        limit: `all of length ${oneLength[0]}: ${rate(one)}`,
        goal: '',
        result: rate(mixed),
        met: undefined,
        detail:
          `p50 ${usText(numberOf(mixed, 'p50Us'))}, p99 ${usText(numberOf(mixed, 'p99Us'))}, ` +
          `${usText(numberOf(mixed, 'cpuUs'))} CPU a request; onnxruntime-node, on one thread: ${rate(theirs)}`,
      },
    ];
  },
};
