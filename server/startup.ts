// SPDX-License-Identifier: Apache-2.0
// Loads what a server is to serve from its start, one model after the other.
import { fileURLToPath } from 'node:url';
import { InferenceError } from '../lib/index.js';
import type { Config } from './config.js';
import type { Log } from './log.js';
import type { Packages } from './packages/index.js';
import { redact } from './redact.js';
import { isInTime, type RegisterRequest, type Registry } from './registry/index.js';
import type { StopSignal } from './signals.js';

/** How the programs that serve differ. */
export interface StartupOptions {
  /** Served when no model is asked for. */
  readonly usualModels: readonly string[];
  /** Whether a model that cannot be loaded is left out, and the others are served. */
  readonly skipFailing: boolean;
}

export interface Startup extends StartupOptions {
  readonly config: Config;
  readonly packages: Packages;
  readonly registry: Registry;
  readonly log: Log;
  readonly stop: StopSignal;
}

/** Returns early when the server is asked to end. @throws  what loading throws, and INFER_DEADLINE after `startupTimeoutMs`. */
export async function loadModels(startup: Startup): Promise<void> {
  const { startupTimeoutMs } = startup.config;
  const loaded = loadAll(startup, await wantedModels(startup));
  if (startupTimeoutMs === 0) return loaded;
  if (await isInTime(loaded, startupTimeoutMs)) return;
  const message = `models: expected all to be loaded within ${startupTimeoutMs} ms (startupTimeoutMs)`;
  throw new InferenceError('INFER_DEADLINE', message);
}

/** The models of this package; their place is relative to this file in dist/. */
export function shippedModels(): string[] {
  return ['iris', 'digits'].map(name =>
    fileURLToPath(new URL(`../../models/${name}`, import.meta.url)),
  );
}

/** `name=path`, or only a path: an equals sign after a slash belongs to the path. */
function readModelArgument(text: string): RegisterRequest {
  const [, name, path] = /^([^/=]+)=(.+)$/.exec(text) ?? [];
  return { url: path ?? text, name, atStartup: true };
}

/** What is to be loaded; `ALL` stands for everything in the model store. */
async function wantedModels({
  config: { models, modelStore, defaultWorkers },
  usualModels,
  skipFailing,
  packages,
  log,
}: Startup): Promise<readonly RegisterRequest[]> {
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

async function loadAll(
  { registry, log, stop, skipFailing }: Startup,
  wanted: readonly RegisterRequest[],
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

/** What the log says of an error. */
export function reasonOf(error: unknown): object {
  if (error instanceof InferenceError) {
    const { code, message, detail, cause } = error;
    const reason = cause instanceof Error ? { reason: cause.message } : {};
    return { code, message, ...(detail === undefined ? {} : { detail }), ...reason };
  }
  return { message: error instanceof Error ? error.message : String(error), err: error };
}
