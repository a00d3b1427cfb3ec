// SPDX-License-Identifier: Apache-2.0
// The model repository extension: what there is, and loading and unloading it while the server runs.
import { InferenceError, type LoadOptions, listDevices } from '../../../lib/index.js';
import { badInput, describe } from '../../decode/describe.js';
import { createLine } from '../../line.js';
import type { Registration, Registry, Workers } from '../../registry/index.js';
import type { Handler, HttpReply, Route, ServerContext } from '../../route.js';
import { parametersOf, readObject } from './body.js';
import { errors, jsonReply, refusal } from './errors.js';
import { readConfig } from './load_config.js';

export function repositoryRoutes(server: ServerContext): Route[] {
  const repository: Repository = { server, before: new Map() };
  const line = createLine(); // of two that load one name the second finds it loaded
  const load: Handler = ({ body, origin }, [name = '']) => {
    requireControl(server, origin);
    return line(name, () => loadModel(repository, name, body));
  };
  const unload: Handler = ({ body, origin }, [name = '']) => {
    requireControl(server, origin);
    return line(name, () => unloadModel(repository, name, body));
  };
  const index: Handler = ({ body }) => jsonReply(200, indexOf(server.registry, body));
  const named: Handler = () =>
    errors.fromStatus(501, "'repository_name' specification is not supported");
  const rows: readonly (readonly [string, Handler])[] = [
    ['index', index],
    ['{repository}/index', index],
    ['models/{model}/load', load],
    ['models/{model}/unload', unload],
    ['{repository}/models/{model}/load', named],
    ['{repository}/models/{model}/unload', named],
  ];
  return rows.map(([path, handle]) => ({
    listener: 'inference',
    onMain: true,
    method: 'POST',
    path: `/v2/repository/${path}`,
    handle,
  }));
}

interface Repository {
  readonly server: ServerContext;
  /** On how many lanes a version was when it was unloaded, by name and version. */
  readonly before: Map<string, Workers>;
}

/** @source  Triton: one element for each version; only what is not ready says why. */
function indexOf(registry: Registry, body: Buffer): object[] {
  const { ready = false } = readObject(body);
  if (typeof ready !== 'boolean') throw badInput('ready', 'true or false', describe(ready));
  return registry
    .list()
    .map(own => ({ name: own.name, version: own.version, ...stateOf(own) }))
    .filter(({ state }) => !ready || state === 'READY');
}

function stateOf(own: Registration): { state: string; reason?: string } {
  const { model, maxWorkers } = own;
  if (own.isEvicted) return { state: 'READY' };
  if (model !== undefined) return { state: maxWorkers === 0 ? 'UNLOADING' : 'READY' };
  return maxWorkers > 0 ? { state: 'LOADING' } : { state: 'UNAVAILABLE', reason: 'unloaded' };
}

/** A page that a browser shows could reach the port of predictions from here; it always says where it is from. */
function requireControl({ config }: ServerContext, origin: string): void {
  if (config.modelControlMode !== 'explicit') {
    const message = 'explicit model load / unload is not allowed if polling is enabled';
    throw refusal(503, `${message} (modelControlMode is ${config.modelControlMode})`);
  }
  if (origin !== '') throw refusal(403, 'header origin: expected none for loading and unloading');
}

function requireName(name: string): void {
  if (name !== '' && !/[/\\\0]|\.\./.test(name)) return;
  throw refusal(
    400,
    `failed to load: expected a model name without '/' and '..', got ${quoted(name)}`,
  );
}

function quoted(name: string): string {
  return `'${name.slice(0, 128)}'`;
}

async function loadModel(repository: Repository, name: string, body: Buffer): Promise<HttpReply> {
  const { server } = repository;
  requireName(name);
  const parameters = parametersOf(readObject(body));
  try {
    const options = readConfig(parameters, name);
    const known = server.registry.versions(name);
    if (known.length === 0) await register(server, name, options);
    else if (options === undefined) await loadAll(repository, known);
    else await loadAnew(server, known, options);
  } catch (error) {
    throw loadFailed(name, error);
  }
  return jsonReply(200, { name, load: true });
}

/** What the model store has under that name. */
async function register(
  { registry, config }: ServerContext,
  name: string,
  options: LoadOptions = {},
): Promise<void> {
  const nothing = refusal(
    404,
    `failed to load ${quoted(name)}, failed to poll from model repository`,
  );
  if (config.modelStore === '') throw nothing;
  const workers = config.defaultWorkers === 0 ? undefined : config.defaultWorkers;
  const registering = registry.register({ url: name, name, workers, options });
  const { loaded } = await registering.catch(error => {
    throw error instanceof InferenceError && error.code === 'INFER_MODEL_NOT_FOUND'
      ? nothing
      : error;
  });
  await loaded;
}

/** All versions that are not there, also those that were unloaded to make room; the others are as they should be. */
async function loadAll(
  { server, before }: Repository,
  known: readonly Registration[],
): Promise<void> {
  const { registry, config } = server;
  for (const { name, version, maxWorkers, isEvicted } of known) {
    if (isEvicted) await registry.demand(name, version);
    if (maxWorkers > 0) continue;
    const lanes = listDevices().lanes;
    const to = before.get(keyOf(name, version)) ?? { min: lanes, max: lanes };
    await registry.scale(name, version, to, config.unregisterTimeoutMs);
  }
}

/** With other options: to change those of a model that serves would leave its requests without one for a while. */
async function loadAnew(
  { registry, config }: ServerContext,
  known: readonly Registration[],
  options: LoadOptions,
): Promise<void> {
  const [first, second] = known;
  if (first === undefined) return;
  if (second !== undefined || first.maxWorkers > 0) {
    throw refusal(400, 'load failed: "config" is for a model of one version that is unloaded');
  }
  const { name, version, url, loadedAtStartup: atStartup } = first;
  await registry.unregister(name, version, config.unregisterTimeoutMs);
  const again = { url, name, version, atStartup };
  try {
    await (await registry.register({ ...again, options })).loaded;
  } catch (error) {
    await (await registry.register({ ...again, workers: 0 })).loaded; // it stays what it was
    throw error;
  }
}

function loadFailed(name: string, error: unknown): unknown {
  if (!(error instanceof InferenceError)) return error;
  if (error.code === 'INFER_CLOSED' || error.code === 'INFER_INTERNAL') return error;
  const status = error.code === 'INFER_OUT_OF_MEMORY' ? 503 : 400;
  return refusal(status, `load failed for model ${quoted(name)}: ${error.message}`);
}

function keyOf(name: string, version: string): string {
  return JSON.stringify([name, version]);
}

/** What is not there is unloaded already. */
async function unloadModel(
  { server, before }: Repository,
  name: string,
  body: Buffer,
): Promise<HttpReply> {
  const { unload_dependents: dependents = false } = parametersOf(readObject(body));
  if (typeof dependents !== 'boolean') {
    throw badInput('parameters.unload_dependents', 'true or false', describe(dependents));
  }
  const { registry, config } = server;
  for (const { version, minWorkers: min, maxWorkers: max } of registry.versions(name)) {
    if (max === 0) continue;
    const none = { min: 0, max: 0 };
    await registry.scale(name, version, none, config.unregisterTimeoutMs).catch(error => {
      if (!(error instanceof InferenceError) || error.code !== 'INFER_DEADLINE') throw error;
      throw refusal(500, `failed to unload ${quoted(name)}: ${error.message}`);
    });
    before.set(keyOf(name, version), { min, max });
  }
  return jsonReply(200, { name, unload: true });
}
