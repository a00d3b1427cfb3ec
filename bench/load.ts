// SPDX-License-Identifier: Apache-2.0
// The load generator, a process of its own: closed loop over n connections, or open loop on a Poisson schedule.
import { setTimeout as after } from 'node:timers/promises';
import { type Connection, type HttpRequest, openConnection, prepareRequest } from './connection.js';
import { createHistogram, type Histogram } from './histogram.js';
import { type CpuTime, cpuTimeOf, finish, readArguments } from './process.js';
import { followSchedule } from './schedule.js';

/** What the scenario asks for; also the JSON that this program takes. */
export interface Load {
  readonly url: string;
  readonly request: HttpRequest;
  readonly connections: number;
  /** Requests per second of an open loop; a closed one when left out. */
  readonly rate?: number;
  readonly warmupSeconds: number;
  readonly seconds: number;
  /** Process whose CPU time is read at both ends of the measured part. */
  readonly serverPid: number;
}

interface Result {
  readonly times: Histogram;
  /** Answers by status over the whole run, warm-up included; 0 stands for a lost connection. */
  readonly statuses: Map<number, number>;
}

function count({ statuses }: Result, status: number): void {
  statuses.set(status, (statuses.get(status) ?? 0) + 1);
}

function target(load: Load): { request: Buffer; open: () => Connection } {
  const { hostname, port } = new URL(load.url);
  const request = prepareRequest(`${hostname}:${port}`, load.request);
  return { request, open: () => openConnection(Number(port), hostname) };
}

/** Each connection sends its next request when the last one is answered. */
async function closedLoop(load: Load, result: Result): Promise<void> {
  const { request, open } = target(load);
  const start = performance.now();
  const firstMs = start + load.warmupSeconds * 1000;
  const endMs = firstMs + load.seconds * 1000;
  const one = () =>
    new Promise<void>(resolve => {
      const connection = open();
      let sentMs = performance.now();
      const answered = (status: number) => {
        const now = performance.now();
        if (sentMs >= firstMs && status === 200) result.times.record(now - sentMs);
        count(result, status);
        if (now >= endMs) {
          connection.close();
          resolve();
          return;
        }
        sentMs = now;
        connection.send(request, answered);
      };
      connection.send(request, answered);
    });
  await Promise.all(Array.from({ length: load.connections }, one));
}

/** Free connections are used last in, first out; a request that finds none waits, and that wait counts. */
async function openLoop(load: Load, rate: number, result: Result): Promise<Record<string, number>> {
  const { request, open } = target(load);
  const all = Array.from({ length: load.connections }, open);
  const free = [...all];
  const waiting: ((connection: Connection) => void)[] = [];
  const give = (connection: Connection) => {
    const next = waiting.shift();
    if (next === undefined) free.push(connection);
    else next(connection);
  };
  const send = (scheduledMs: number, keep: boolean) =>
    new Promise<void>(resolve => {
      const use = (connection: Connection) =>
        connection.send(request, status => {
          if (keep && status === 200) result.times.record(performance.now() - scheduledMs);
          count(result, status);
          give(connection);
          resolve();
        });
      const connection = free.pop();
      if (connection === undefined) waiting.push(use);
      else use(connection);
    });
  const { warmupSeconds, seconds } = load;
  const sent = await followSchedule({ rate, warmupSeconds, seconds }, send);
  for (const connection of all) connection.close();
  return { ...sent };
}

/** CPU time of server and generator over the measured part, in seconds. */
interface Used {
  readonly server: CpuTime;
  readonly generatorSeconds: number;
}

/** Reads both clocks when the warm-up ends and when the measured part does. */
async function watchCpu({ serverPid, warmupSeconds, seconds }: Load): Promise<Used> {
  await after(warmupSeconds * 1000);
  const before = cpuTimeOf(serverPid);
  const ownBefore = process.cpuUsage();
  await after(seconds * 1000);
  const now = cpuTimeOf(serverPid);
  const { user, system } = process.cpuUsage(ownBefore);
  const server = {
    jsSeconds: now.jsSeconds - before.jsSeconds,
    allSeconds: now.allSeconds - before.allSeconds,
  };
  return { server, generatorSeconds: (user + system) / 1e6 };
}

const load = readArguments<Load>();
const result: Result = { times: createHistogram(), statuses: new Map() };
const sending =
  load.rate === undefined
    ? closedLoop(load, result).then(() => ({}))
    : openLoop(load, load.rate, result);
const [sent, used] = await Promise.all([sending, watchCpu(load)]);
const summary = result.times.summary();
const answers = [...result.statuses.values()].reduce((sum, own) => sum + own, 0);
finish({
  ...summary,
  ...sent,
  perSecond: summary.count / load.seconds,
  answers,
  failed: answers - (result.statuses.get(200) ?? 0),
  cpuUs: (used.server.allSeconds * 1e6) / summary.count,
  jsCpuUs: (used.server.jsSeconds * 1e6) / summary.count,
  serverBusy: used.server.allSeconds / load.seconds,
  generatorBusy: used.generatorSeconds / load.seconds,
});
