// SPDX-License-Identifier: Apache-2.0
// `inference-native serve`: loads models, listens, and drains when told to stop.
import { fileURLToPath } from 'node:url';
import { type EngineLogLine, InferenceError, listDevices, onEngineLog } from '../../lib/index.js';
import { addressesOf, isLoopback, urlOf } from '../address.js';
import { type AppOptions, createResponder } from '../app.js';
import { type Config, readConfig } from '../config.js';
import { createDecode } from '../decode/index.js';
import { createHttp } from '../http.js';
import { createLog, type Log } from '../log.js';
import { startLoopMonitor } from '../metrics.js';
import { createRegistry, type LoadRequest, type Registry } from '../models.js';
import { defaultErrors, protocols } from '../protocol/index.js';
import type { HttpServer, ListenerName, ServerContext } from '../route.js';
import { type StopSignal, watchSignals } from '../signals.js';
import { createThrottle, kindOf, type Throttle } from '../throttle.js';

/** @returns  exit code, once everything is closed. */
export async function serve(args: readonly string[]): Promise<number> {
  const config = readConfig(args, process.env);
  const log = createLog(config.logLevel);
  const stop = watchSignals(log);
  const models = createRegistry();
  const failures = createThrottle(sameFailureMs);
  const engineLines = createThrottle(engineLineMs);
  const endLog = onEngineLog(createEngineLog(log, engineLines));
  const loop = startLoopMonitor();
  surviveSurprises(log);
  try {
    logLayout(log);
    await loadAll(models, config, { log, stop });
    const http = await createHttp({ ...config, errors: defaultErrors });
    const context: ServerContext = {
      config,
      log,
      failures,
      models,
      decode: createDecode(config),
      http: http.stats,
      isDraining: http.isDraining,
      loopDelay: loop.read,
    };
    if (stop.signal() === undefined) {
      await listenAll(http, { protocols, context, errors: defaultErrors });
    }
    await stop.requested;
    const code = await drain(http, { config, log, stop });
    logHeld(log, 'request_failed', failures);
    logHeld(log, 'engine_log', engineLines);
    return code;
  } catch (error) {
    log.fatal({ event: 'start_failed', ...reasonOf(error) });
    return 1;
  } finally {
    await models.close();
    loop.stop();
    endLog();
    stop.end();
  }
}

/** How often the same failure of the same model is logged; inputs of a client may cause it with every request. */
const sameFailureMs = 10_000;

/** One line of a kind a second: what an engine says about a run, a client may make it say with every request. */
const engineLineMs = 1000;

/** What ORT says of every run that a deadline or a client ended: no news. */
const ended = /terminate flag/;

function createEngineLog(log: Log, throttle: Throttle): (line: EngineLogLine) => void {
  return ({ level, engine, message }) => {
    if (ended.test(message)) return;
    const kind = `${level} ${kindOf(message)}`;
    const held = level === 'info' ? 0 : throttle.pass(kind);
    if (held === undefined) return;
    const more = held === 0 ? {} : { alsoSinceLast: held };
    log[level]({ event: 'engine_log', engine, ...more, message });
  };
}

/** What was still to be said with the next line of its kind. */
function logHeld(log: Log, of: string, throttle: Throttle): void {
  for (const { kind, held } of throttle.takeHeld()) {
    log.warn({ event: 'also_logged', of, kind, alsoSinceLast: held });
  }
}

function reasonOf(error: unknown): object {
  if (error instanceof InferenceError) {
    const { code, message, detail } = error;
    return { code, message, ...(detail === undefined ? {} : { detail }) };
  }
  return { message: error instanceof Error ? error.message : String(error), err: error };
}

/** One request's failure is answered where it happens; what nobody caught must not end all the others. */
function surviveSurprises(log: Log): void {
  process.on('uncaughtException', error => log.error({ event: 'uncaught', err: error }));
  process.on('unhandledRejection', reason => log.error({ event: 'unhandled', err: reason }));
}

function logLayout(log: Log): void {
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
function readModelArgument(text: string): LoadRequest {
  const [, name, path] = /^([^/=]+)=(.+)$/.exec(text) ?? [];
  return { path: path ?? text, name, atStartup: true };
}

interface Start {
  readonly log: Log;
  readonly stop: StopSignal;
}

async function loadAll(models: Registry, config: Config, { log, stop }: Start): Promise<void> {
  const wanted = config.models.length > 0 ? config.models : shippedModels.map(shippedPath);
  for (const request of wanted.map(readModelArgument)) {
    if (stop.signal() !== undefined) return;
    const startedMs = performance.now();
    try {
      const { name, model } = await models.load(request);
      const { version, engine, devices, lanes, path } = model.info;
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
    } catch (error) {
      log.error({
        event: 'model_failed',
        model: request.name,
        path: request.path,
        ...reasonOf(error),
      });
      throw error;
    }
  }
}

/** The line on standard output is the sign that requests are taken; it is the only one there. */
async function listenAll(http: HttpServer, options: AppOptions): Promise<void> {
  const { config, log } = options.context;
  const urls: Partial<Record<ListenerName, string>> = {};
  try {
    for (const { host, port, listeners } of addressesOf(config)) {
      const respond = createResponder(options, { listeners, isLoopback: isLoopback(host) });
      const used = await http.listen(host, port, respond);
      const url = urlOf(host, used);
      for (const listener of listeners) urls[listener] = url;
    }
  } catch (error) {
    await http.drain(0, 0);
    throw error;
  }
  const { inference, management, metrics } = urls;
  log.info({ event: 'listening', inference, management, metrics });
  process.stdout.write(
    `${JSON.stringify({ event: 'listening', inference, management, metrics })}\n`,
  );
}

interface Ending extends Start {
  readonly config: Config;
}

async function drain(http: HttpServer, { config, log, stop }: Ending): Promise<number> {
  const { inFlight, connections } = http.stats();
  log.info({ event: 'drain_started', signal: stop.signal(), inFlight, connections });
  const cut = await http.drain(config.drainGraceMs, config.drainTimeoutMs);
  if (cut.length === 0) log.info({ event: 'drain_ended' });
  else log.error({ event: 'drain_cut', drainTimeoutMs: config.drainTimeoutMs, requests: cut });
  return cut.length === 0 ? 0 : 1;
}
