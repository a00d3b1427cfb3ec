// SPDX-License-Identifier: Apache-2.0
// `inference-native serve`: loads models, listens, and drains when told to stop.
import { setTimeout as delay } from 'node:timers/promises';
import { type EngineLogLine, listDevices, onEngineLog } from '../../lib/index.js';
import { addressesOf, isLoopback, nameOf } from '../address.js';
import { createResponder } from '../app.js';
import { type Config, threadShareOf } from '../config.js';
import { createDecoding } from '../decode/index.js';
import { createHttp } from '../http.js';
import type { ConfigReport } from '../layers.js';
import { createLog, createLogWriter, type Log, logHeld, surviveSurprises } from '../log.js';
import { createMemory } from '../memory.js';
import { readThread, startLoopMonitor } from '../metrics.js';
import { createPackages, type Packages } from '../packages/index.js';
import { defaultErrors, protocols } from '../protocol/index.js';
import { createRegistry, type Registry, type RoomLimits } from '../registry/index.js';
import type { HttpServer, ListenerName, ServerContext } from '../route.js';
import { prepareSecurity, type Security } from '../security.js';
import { explainConfig } from '../settings.js';
import { createShelf } from '../shelf.js';
import { type StopSignal, watchSignals } from '../signals.js';
import { loadModels, reasonOf, type StartupOptions, shippedModels } from '../startup.js';
import { createThreads, type Threads } from '../threads.js';
import { createThrottle, kindOf, sameFailureMs, type Throttle } from '../throttle.js';

/** How the programs that serve differ. */
export interface ServeOptions extends StartupOptions {
  /** Said on standard output, behind the line with the addresses. */
  readonly started?: string;
}

/** @returns  exit code, once everything is closed. */
export function serve(args: readonly string[]): Promise<number> {
  const report = explainConfig(args, process.env);
  const usualModels = report.config.sageMaker === 'off' ? shippedModels() : [];
  return runServer(report, { usualModels, skipFailing: false });
}

/** @returns  exit code, once everything is closed. */
export async function runServer(report: ConfigReport, options: ServeOptions): Promise<number> {
  const { config } = report;
  const writeLog = createLogWriter();
  const log = createLog(config.logLevel, writeLog);
  const stop = watchSignals(log);
  const engineLines = createThrottle(engineLineMs);
  const endLog = onEngineLog(createEngineLog(log, engineLines));
  const ends: End[] = [stop.end, endLog];
  surviveSurprises(log);
  try {
    logStart(log, report);
    const server = await createServer({ config, log, writeLog, stop, ends });
    const { http, threads, registry, context } = server;
    await start(server, options, stop);
    const lost = await Promise.race([stop.requested, threads.lost]);
    server.packages.stop(); // the end does not wait for fetches, whatever its reason
    if (lost !== undefined) log.fatal({ event: 'thread_lost', ...lost });
    await server.setReady(false);
    if (lost === undefined && config.drainDelayMs > 0) await delay(config.drainDelayMs);
    const code = await drain({ http, threads, registry, config, log, stop });
    logHeld(log, 'request_failed', context.failures);
    logHeld(log, 'engine_log', engineLines);
    return lost === undefined ? code : 1;
  } catch (error) {
    log.fatal({ event: 'start_failed', ...reasonOf(error) });
    return 1;
  } finally {
    await endAll(log, ends.reverse());
  }
}

/** What is to be done at the end. */
type End = () => unknown;

interface Parts extends Start {
  readonly config: Config;
  readonly writeLog: (line: string) => void;
  /** Gets what ends the parts that are made; the last one is to be done first. */
  readonly ends: End[];
}

interface Server extends Servers {
  readonly packages: Packages;
  readonly security: Security;
  readonly registry: Registry;
  readonly context: ServerContext;
  /** On all threads. */
  readonly setReady: (isReady: boolean) => Promise<void>;
}

/** All parts, without a model, and not listening yet. */
async function createServer({ config, log, writeLog, stop, ends }: Parts): Promise<Server> {
  const shelf = createShelf();
  const loop = startLoopMonitor();
  ends.push(loop.stop);
  const packages = await createPackages(config);
  ends.push(packages.close, shelf.close);
  stop.requested.then(packages.stop);
  for (const message of packages.notes) log.warn({ event: 'work_dir_note', message });
  const security = await prepareSecurity(config, packages.scratch, log);
  const share = threadShareOf(config);
  const http = await createHttp({ ...share, errors: defaultErrors });
  const threads = createThreads(share, writeLog);
  ends.push(threads.close, http.close);
  const registry = createRegistry({
    shelves: threads.shelves(shelf),
    locate: packages.open,
    warn: line => log.warn(line),
    limits: roomOf(config),
    usualTimeoutMs: config.responseTimeoutMs,
  });
  const { variants, find, trafficOf, startupModel, targetOf } = shelf;
  const decoding = createDecoding(share);
  const parts = { http, loop, decoding, variants };
  let isReady = false;
  const context: ServerContext = {
    config,
    log,
    failures: createThrottle(sameFailureMs),
    find,
    await: (name, version) => shelf.await(() => registry.demand(name, version), name, version),
    trafficOf,
    startupModel,
    targetOf,
    variants,
    registry,
    decode: decoding.decode,
    isReady: () => isReady && !http.isDraining(),
    isDraining: http.isDraining,
    threads: async () => [readThread(parts), ...(await threads.stats())],
  };
  const setReady = (is: boolean) => {
    isReady = is;
    return threads.setReady(is);
  };
  return { http, threads, packages, security, registry, context, setReady };
}

function roomOf({ maxLoadedModels, maxLoadedBytes, memoryBudgetBytes }: Config): RoomLimits {
  const memory = createMemory(memoryBudgetBytes);
  return { maxModels: maxLoadedModels, maxBytes: maxLoadedBytes, memory };
}

/** Loads what is asked for and listens, in the order that clients expect; less of it when the server is to end. */
async function start(server: Server, options: ServeOptions, stop: StopSignal): Promise<void> {
  const { packages, registry, context, setReady } = server;
  const { config, log } = context;
  // SageMaker asks how it goes from the start on.
  const early = config.sageMaker === 'off' ? undefined : await listenAll(server, stop);
  if (config.sageMaker === 'multi') await setReady(true);
  const loaded = loadModels({ ...options, config, packages, registry, log, stop });
  await Promise.race([loaded, stop.requested]); // the drain waits for what still loads
  const urls = early ?? (await listenAll(server, stop));
  if (stop.signal() !== undefined) return;
  await setReady(true);
  announce({ log, config, urls, started: options.started });
}

/** One after the other, whatever becomes of those before. */
async function endAll(log: Log, ends: readonly End[]): Promise<void> {
  for (const end of ends) {
    try {
      await end();
    } catch (error) {
      log.error({ event: 'end_failed', ...reasonOf(error) });
    }
  }
}

/** One line of a kind a second: what an engine says about a run, a client may make it say with every request. */
const engineLineMs = 1000;

function createEngineLog(log: Log, throttle: Throttle): (line: EngineLogLine) => void {
  return ({ level, engine, message }) => {
    const kind = `${level} ${kindOf(message)}`;
    const held = level === 'info' ? 0 : throttle.pass(kind);
    if (held === undefined) return;
    const more = held === 0 ? {} : { alsoSinceLast: held };
    log[level]({ event: 'engine_log', engine, ...more, message });
  };
}

function logStart(log: Log, { notes }: ConfigReport): void {
  for (const { kind, ...note } of notes) {
    log[kind === 'ignored' ? 'info' : 'warn']({ event: `setting_${kind}`, ...note });
  }
  const { engines, quota, ...layout } = listDevices();
  log.info({ event: 'layout', ...layout, quota: Number.isFinite(quota) ? quota : null });
  for (const engine of engines) {
    if (engine.available) log.info({ event: 'engine', ...engine });
    else log.warn({ event: 'engine', ...engine });
  }
}

interface Start {
  readonly log: Log;
  readonly stop: StopSignal;
}

interface Servers {
  readonly http: HttpServer;
  readonly threads: Threads;
}

type Urls = Partial<Record<ListenerName, string>>;

async function listenAll(server: Server, stop: StopSignal): Promise<Urls> {
  const { http, threads, security, context } = server;
  const urls: Urls = {};
  if (stop.signal() !== undefined) return urls;
  const { config, registry } = context;
  const demand = ({ name, version }: { name: string; version: string | undefined }) =>
    registry.demand(name, version);
  const app = { protocols, context, errors: defaultErrors };
  try {
    for (const { listeners, ...address } of addressesOf(config)) {
      const mount = { listeners, isLoopback: isLoopback(address) };
      const respond = createResponder(app, mount);
      const isShared = listeners.includes('inference');
      const tls = address.scheme === 'https' ? security.tls : undefined;
      const others = isShared ? await threads.start({ mount, tls }, { respond, demand }) : [];
      const port = await http.listen(address, { respond, tls, others });
      const url = nameOf({ ...address, port });
      for (const listener of listeners) urls[listener] = url;
    }
    await security.release();
  } catch (error) {
    await http.drain(0, 0);
    throw error;
  }
  return urls;
}

interface Announcement {
  readonly log: Log;
  readonly config: Config;
  readonly urls: Urls;
  readonly started: string | undefined;
}

/** The line on standard output is the sign that requests are taken; what `started` says comes behind it. */
function announce({ log, config: { httpThreads }, urls, started }: Announcement): void {
  const { inference, management, metrics } = urls;
  const line = { event: 'listening', inference, management, metrics, httpThreads };
  log.info(line);
  process.stdout.write(`${JSON.stringify(line)}\n`);
  if (started !== undefined) process.stdout.write(`${started}\n`);
}

interface Ending extends Start, Servers {
  readonly registry: Registry;
  readonly config: Config;
}

async function drain({ http, threads, registry, config, log, stop }: Ending): Promise<number> {
  const { inFlight, connections } = http.stats();
  log.info({ event: 'drain_started', signal: stop.signal(), inFlight, connections });
  const { drainGraceMs: graceMs, drainTimeoutMs: limitMs } = config;
  const ends = await Promise.allSettled([
    http.drain(graceMs, limitMs),
    ...threads.drain({ graceMs, limitMs }),
    registry.close(limitMs).then(() => []),
  ]);
  const cut = ends.flatMap(end => (end.status === 'fulfilled' ? end.value : []));
  const failed = ends.filter(end => end.status === 'rejected');
  for (const { reason } of failed) log.error({ event: 'drain_failed', ...reasonOf(reason) });
  if (cut.length > 0) log.error({ event: 'drain_cut', drainTimeoutMs: limitMs, requests: cut });
  if (cut.length > 0 || failed.length > 0) return 1;
  log.info({ event: 'drain_ended' });
  return 0;
}
