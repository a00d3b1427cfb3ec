// SPDX-License-Identifier: Apache-2.0
// What a second HTTP thread brings: JSON predictions at 32 and 256 connections, with one thread and with two.
import { pairedRatios, spreadOf } from '../compare.js';
import { allowedCores, type Sample } from '../process.js';
import { microRequest } from '../requests.js';
import { countText, numberOf, type Row, type Scenario, type Trials } from '../scenario.js';
import { measure, ours, serverText } from './http.js';

type Variant = 'one32' | 'two32' | 'one256' | 'two256';

/** All but that of the generator, where two are left; else it shares one of them. */
function serverCores(): readonly number[] {
  const cores = allowedCores();
  return cores.length > 2 ? cores.slice(0, -1) : cores;
}

/** The scenario. */
export const httpThreads: Scenario<Variant> = {
  name: 'http-threads',
  variants: settings => {
    const run = (threads: number, connections: number) => () => {
      const args = [...ours.args, '--http-threads', `${threads}`];
      const command = { ...ours, args, cores: serverCores() };
      return measure(command, { request: microRequest, connections }, settings);
    };
    return { one32: run(1, 32), two32: run(2, 32), one256: run(1, 256), two256: run(2, 256) };
  },
  rows: (medians, trials) => [
    rowOf(32, medians.one32, medians.two32, ratios(trials, 'two32', 'one32')),
    rowOf(256, medians.one256, medians.two256, ratios(trials, 'two256', 'one256')),
  ],
};

function ratios(trials: Trials<Variant>, of: Variant, to: Variant): readonly number[] {
  return pairedRatios(trials[of], trials[to], 'perSecond');
}

function rowOf(connections: number, one: Sample, two: Sample, ratios: readonly number[]): Row {
  const { median, low, high } = spreadOf(ratios);
  const cores = serverCores().length;
  return {
    figure: `JSON prediction of a micro model, ${connections} connections, two HTTP threads`,
    limit: `one HTTP thread: ${countText(numberOf(one, 'perSecond'))}/s`,
    goal: '',
    result: `${median.toFixed(2)} of it`,
    met: undefined,
    detail:
      `server on ${cores} cores${cores === allowedCores().length ? ', one of them shared with the generator' : ''}; ` +
      `one: ${serverText(one)}; two: ${serverText(two)}; ratio ${low.toFixed(2)} to ${high.toFixed(2)}`,
  };
}
