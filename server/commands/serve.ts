// SPDX-License-Identifier: Apache-2.0
// `inference-native serve`: loads models, listens, and drains when told to stop.
import { fileURLToPath } from 'node:url';
import { type EngineLogLine, InferenceError, listDevices, onEngineLog } from '../../lib/index.js';
import { addressesOf, isLoopback, nameOf } from '../address.js';
import { createResponder } from '../app.js';
import { type Config, threadShareOf } from '../config.js';
import { createDecoding } from '../decode/index.js';
import { createHttp } from '../http.js';
import type { ConfigReport } from '../layers.js';
import { createLog, createLogWriter, type Log, logHeld, surviveSurprises } from '../log.js';
import { readThread, startLoopMonitor } from '../metrics.js';
import { createPackages, type Packages } from '../packages/index.js';
import { defaultErrors, protocols } from '../protocol/index.js';
import { redact } from '../redact.js';
import { createRegistry, type RegisterRequest, type Registry } from '../registry/index.js';
import type { HttpServer, ListenerName, ServerContext } from '../route.js';
import { prepareSecurity, type Security } from '../security.js';
import { explainConfig } from '../settings.js';
import { createShelf } from '../shelf.js';
import { type StopSignal, watchSignals } from '../signals.js';
import { createThreads, type Threads } from '../threads.js';
import { createThrottle, kindOf, sameFailureMs, type Throttle } from '../throttle.js';

/** How the programs that serve differ. */
export interface ServeOptions {
  /** Served when no model is asked for. */
  readonly usualModels: readonly string[];
  /** Whether a model that cannot be loaded is left out, and the others are served. */
  readonly skipFailing: boolean;
  /** Said on standard output, behind the line with the addresses. */
  readonly started?: string;
}

/** @returns  exit code, once everything is closed. */
export function serve(args: readonly string[]): Promise<number> {
  const usualModels = shippedModels.map(shippedPath);
  return runServer(explainConfig(args, process.env), { usualModels, skipFailing: false });
}

/** @returns  exit code, once everything is closed. */
export async function runServer(report: ConfigReport, options: ServeOptions): Promise<number> {
  const { config } = report;
  const writeLog = createLogWriter();
  const log = createLog(config.logLevel, writeLog);
  const stop = watchSignals(log);
  const shelf = createShelf();
  const failures = createThrottle(sameFailureMs);
  const engineLines = createThrottle(engineLineMs);
  const endLog = onEngineLog(createEngineLog(log, engineLines));
  const loop = startLoopMonitor();
  const ends: (() => unknown)[] = [stop.end, endLog, loop.stop]; // the last one first
  surviveSurprises(log);
  try {
    logStart(log, report);
    const packages = await createPackages(config);
    ends.push(packages.close, shelf.close);
    stop.requested.then(packages.stop);
    for (const message of packages.notes) log.warn({ event: 'work_dir_note', message });
    const security = await prepareSecurity(config, packages.scratch, log);
    const share = threadShareOf(config);
    const http = await createHttp({ ...share, errors: defaultErrors });
    const threads = createThreads(share, writeLog);
    ends.push(threads.close);
    const registry = createRegistry({
      shelves: threads.shelves(shelf),
      locate: packages.open,
      warn: line => log.warn(line),
    });
    const wanted = await wantedModels(config, options, packages, log);
    await loadAll(registry, wanted, { log, stop, skipFailing: options.skipFailing });
    const decoding = createDecoding(share);
    const parts = { http, loop, decoding, variants: shelf.variants };
    const context: ServerContext = {
      config,
      log,
      failures,
      find: shelf.find,
      trafficOf: shelf.trafficOf,
      startupModel: shelf.startupModel,
      variants: shelf.variants,
      registry,
      decode: decoding.decode,
      isDraining: http.isDraining,
      threads: async () => [readThread(parts), ...(await threads.stats())],
    };
    if (stop.signal() === undefined) await listenAll({ http, threads, context, security, options });
    const lost = await Promise.race([stop.requested, threads.lost]);
    packages.stop(); // the end does not wait for fetches, whatever its reason
    if (lost !== undefined) log.fatal({ event: 'thread_lost', ...lost });
    const code = await drain({ http, threads, registry, config, log, stop });
    logHeld(log, 'request_failed', failures);
    logHeld(log, 'engine_log', engineLines);
    return lost === undefined ? code : 1;
  } catch (error) {
    log.fatal({ event: 'start_failed', ...reasonOf(error) });
    return 1;
  } finally {
    await endAll(log, ends.reverse());
  }
}

/** One after the other, whatever becomes of those before. */
async function endAll(log: Log, ends: readonly (() => unknown)[]): Promise<void> {
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

function reasonOf(error: unknown): object {
  if (error instanceof InferenceError) {
    const { code, message, detail, cause } = error;
    const reason = cause instanceof Error ? { reason: cause.message } : {};
    return { code, message, ...(detail === undefined ? {} : { detail }), ...reason };
  }
  return { message: error instanceof Error ? error.message : String(error), err: error };
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

/** Served when nothing else is asked for; relative to this file in dist/. */
const shippedModels = ['iris', 'digits'];

function shippedPath(name: string): string {
  return fileURLToPath(new URL(`../../../models/${name}`, import.meta.url));
}

/** `name=path`, or only a path: an equals sign after a slash belongs to the path. */
function readModelArgument(text: string): RegisterRequest {
  const [, name, path] = /^([^/=]+)=(.+)$/.exec(text) ?? [];
  return { url: path ?? text, name, atStartup: true };
}

/** What is to be loaded; `ALL` stands for everything in the model store. */
async function wantedModels(
  { models, modelStore, defaultWorkers }: Config,
  { usualModels, skipFailing }: ServeOptions,
  packages: Packages,
  log: Log,
): Promise<readonly RegisterRequest[]> {
  const isAll = models.length === 1 && models[0]?.toUpperCase() === 'ALL';
  if (isAll && modelStore === '' && skipFailing) {
    log.warn({ event: 'no_models', message: 'models: ALL: expected a model store, got none' });
    return [];
  }
  const given = isAll ? await packages.list() : models;
  const wanted = (models.length === 0 ? usualModels : given).map(readModelArgument);
  return defaultWorkers === 0
    ? wanted
    : wanted.map(request => ({ ...request, workers: defaultWorkers }));
}

interface Start {
  readonly log: Log;
  readonly stop: StopSignal;
}

interface Loading extends Start {
  readonly skipFailing: boolean;
}

async function loadAll(
  registry: Registry,
  wanted: readonly RegisterRequest[],
  { log, stop, skipFailing }: Loading,
): Promise<void> {
  for (const request of wanted) {
    if (stop.signal() !== undefined) return;
    const startedMs = performance.now();
    try {
      const { name, version, model, notes } = await (await registry.register(request)).loaded;
      const { engine, devices, lanes, path } = model?.info ?? {};
      const seconds = (performance.now() - startedMs) / 1000;
      log.info({
        event: 'model_loaded',
        model: name,
        version,
        engine,
        devices,
        lanes,
        path,
        seconds,
      });
      for (const message of notes) log.warn({ event: 'model_note', model: name, message });
    } catch (error) {
      log.error({
        event: 'model_failed',
        model: request.name,
        path: redact(request.url),
        ...reasonOf(error),
      });
      if (!skipFailing && stop.signal() === undefined) throw error;
    }
  }
}

interface Servers {
  readonly http: HttpServer;
  readonly threads: Threads;
}

interface Listening extends Servers {
  readonly context: ServerContext;
  readonly options: ServeOptions;
  readonly security: Security;
}

/** The line on standard output is the sign that requests are taken; what `started` says comes behind it. */
async function listenAll({ http, threads, context, security, options }: Listening): Promise<void> {
  const { config, log } = context;
  const app = { protocols, context, errors: defaultErrors };
  const urls: Partial<Record<ListenerName, string>> = {};
  try {
    for (const { listeners, ...address } of addressesOf(config)) {
      const mount = { listeners, isLoopback: isLoopback(address) };
      const respond = createResponder(app, mount);
      const isShared = listeners.includes('inference');
      const tls = address.scheme === 'https' ? security.tls : undefined;
      const others = isShared ? await threads.start({ mount, tls }, respond) : [];
      const port = await http.listen(address, { respond, tls, others });
      const url = nameOf({ ...address, port });
      for (const listener of listeners) urls[listener] = url;
    }
  } catch (error) {
    await http.drain(0, 0);
    throw error;
  }
  await security.release();
  const { inference, management, metrics } = urls;
  const { httpThreads } = config;
  const line = { event: 'listening', inference, management, metrics, httpThreads };
  log.info(line);
  process.stdout.write(`${JSON.stringify(line)}\n`);
  if (options.started !== undefined) process.stdout.write(`${options.started}\n`);
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
