// SPDX-License-Identifier: Apache-2.0
// JSON predictions over HTTP at 32 connections and at one, with the servers one would write by hand beside them.

import { join } from 'node:path';
import { pairedRatios, spreadOf } from '../compare.js';
import type { HttpRequest } from '../connection.js';
import { modelPath, root } from '../models.js';
import { type Command, firstAndLastCore, runToEnd, type Sample, startServer } from '../process.js';
import { microRequest, pingRequest } from '../requests.js';
import {
  countText,
  numberOf,
  programPath,
  type Row,
  type Scenario,
  type Settings,
  usText,
} from '../scenario.js';

export type Load = { request: HttpRequest; connections: number; rate?: number };
type ServerName = 'ours' | 'constant' | 'uws' | 'fastify';

const ports = ['--port', '0', '--management-port', '0', '--metrics-port', '0'];
export const ours = {
  file: join(root, 'dist', 'server', 'main.js'),
  args: ['serve', `micro=${modelPath('micro')}`, ...ports],
};
const servers: Readonly<Record<ServerName, { file: string; args: readonly string[] }>> = {
  ours,
  constant: { file: programPath('references/uws'), args: ['constant'] },
  uws: { file: programPath('references/uws'), args: [] },
  fastify: { file: programPath('references/fastify'), args: [] },
};

/** The server has the first core, all its threads together. */
function serve(name: ServerName, load: Load, settings: Settings): Promise<Sample> {
  const [core] = firstAndLastCore();
  return measure({ ...servers[name], cores: [core] }, load, settings);
}

/** Puts a load on a server; the generator has the last core. */
export async function measure(command: Command, load: Load, settings: Settings): Promise<Sample> {
  const [, loadCore] = firstAndLastCore();
  const server = await startServer(command);
  try {
    const { warmupSeconds, seconds } = settings;
    const args = { url: server.url, serverPid: server.pid, ...load, warmupSeconds, seconds };
    const file = programPath('load');
    const sample = await runToEnd({ file, args: [JSON.stringify(args)], cores: [loadCore] });
    const failed = numberOf(sample, 'failed');
    if (failed > 0) throw new Error(`${command.file}: ${failed} of the requests failed`);
    return sample;
  } finally {
    await server.stop();
  }
}

const many = 32;
const goalRatio = 0.6;
const goalUs = 20;

export function serverText(sample: Sample): string {
  const [busy, generator] = [numberOf(sample, 'serverBusy'), numberOf(sample, 'generatorBusy')];
  return (
    `${countText(numberOf(sample, 'perSecond'))}/s, p50 ${usText(numberOf(sample, 'p50Us'))}, ` +
    `p99 ${usText(numberOf(sample, 'p99Us'))}, p99.9 ${usText(numberOf(sample, 'p999Us'))}, ` +
    `${usText(numberOf(sample, 'cpuUs'))} CPU a request (JS thread ${usText(numberOf(sample, 'jsCpuUs'))}), ` +
    `core ${Math.round(busy * 100)} % busy, generator ${Math.round(generator * 100)} %`
  );
}

function reference(name: string, connections: string, sample: Sample): Row {
  return {
    figure: `reference: ${name}, ${connections}`,
    limit: '',
    goal: '',
    result: `${countText(numberOf(sample, 'perSecond'))}/s`,
    met: undefined,
    detail: serverText(sample),
  };
}

/** The scenario of many connections. */
export const httpMany: Scenario<ServerName> = {
  name: 'http-many',
  variants: settings => {
    const load = { request: microRequest, connections: many };
    const run = (name: ServerName) => () => serve(name, load, settings);
    return {
      ours: run('ours'),
      constant: run('constant'),
      uws: run('uws'),
      fastify: run('fastify'),
    };
  },
  rows: ({ ours, constant, uws, fastify }, trials) => {
    const ratio = spreadOf(pairedRatios(trials.ours, trials.constant, 'perSecond'));
    const cpuRatio = numberOf(constant, 'cpuUs') / numberOf(ours, 'cpuUs');
    const place = `${many} connections`;
    return [
      {
        figure: `HTTP JSON prediction of a micro model, ${place}, one core`,
        limit: `uWebSockets.js answering a constant: ${countText(numberOf(constant, 'perSecond'))}/s`,
        goal: `at least ${goalRatio} of it`,
        result: `${ratio.median.toFixed(2)} of it`,
        met: ratio.median >= goalRatio,
        detail:
          `${serverText(ours)}; ratio ${ratio.low.toFixed(2)} to ${ratio.high.toFixed(2)}, ` +
          `of CPU time a request ${cpuRatio.toFixed(2)}`,
      },
      reference('uWebSockets.js answering a constant', place, constant),
      reference('onnxruntime-node behind uWebSockets.js', place, uws),
      reference('onnxruntime-node behind fastify', place, fastify),
    ];
  },
};

/** The scenario of one connection. */
export const httpOne: Scenario<ServerName | 'ping'> = {
  name: 'http-one',
  variants: settings => {
    const load = { request: microRequest, connections: 1 };
    const run = (name: ServerName) => () => serve(name, load, settings);
    const ping = () => serve('ours', { request: pingRequest, connections: 1 }, settings);
    return {
      ours: run('ours'),
      ping,
      constant: run('constant'),
      uws: run('uws'),
      fastify: run('fastify'),
    };
  },
  rows: ({ ours, ping, constant, uws, fastify }) => {
    const moreUs = numberOf(ours, 'p50Us') - numberOf(ping, 'p50Us');
    return [
      {
        figure: 'the same, one connection, p50',
        limit: `GET /ping on the same server: ${usText(numberOf(ping, 'p50Us'))}`,
        goal: `at most ${goalUs} us more`,
        result: `${countText(moreUs)} us more`,
        met: moreUs <= goalUs,
        detail: serverText(ours),
      },
      reference('uWebSockets.js answering a constant', 'one connection', constant),
      reference('onnxruntime-node behind uWebSockets.js', 'one connection', uws),
      reference('onnxruntime-node behind fastify', 'one connection', fastify),
    ];
  },
};

const steadyRate = 2000;

/** The scenario of an open loop well below capacity: what one of many independent clients sees. */
export const httpOpen: Scenario<ServerName> = {
  name: 'http-open',
  variants: settings => {
    const load = { request: microRequest, connections: 64, rate: steadyRate };
    const run = (name: ServerName) => () => serve(name, load, settings);
    return {
      ours: run('ours'),
      constant: run('constant'),
      uws: run('uws'),
      fastify: run('fastify'),
    };
  },
  rows: ({ ours, constant, uws, fastify }) => {
    const p99 = (sample: Sample) => usText(numberOf(sample, 'p99Us'));
    return [
      {
        figure: `HTTP JSON prediction, open loop of ${countText(steadyRate)}/s, p50`,
        limit: `constant: ${usText(numberOf(constant, 'p50Us'))}`,
        goal: '',
        result: usText(numberOf(ours, 'p50Us')),
        met: undefined,
        detail:
          `${serverText(ours)}; p99 of the constant ${p99(constant)}, of onnxruntime-node behind ` +
          `uWebSockets.js ${p99(uws)}, behind fastify ${p99(fastify)}`,
      },
    ];
  },
};
