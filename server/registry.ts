// SPDX-License-Identifier: Apache-2.0
// Every model that is registered: adds, scales, replaces and removes them on all HTTP threads alike.
// Threads: main only; what other threads need of it is in their shelves.
import { InferenceError, type LoadOptions, listDevices, type Model } from '../lib/index.js';
import { createLine, type Line } from './line.js';
import { type Directory, type LoadOrder, labelOf, missingError } from './shelf.js';

/** One version of a model that was registered. */
export interface Registration {
  readonly name: string;
  readonly version: string;
  /** As the operator or client wrote it. */
  readonly url: string;
  readonly loadedAtStartup: boolean;
  /** As asked for. A lane is what MMS calls a worker; there are never more lanes than cores. */
  readonly minWorkers: number;
  readonly maxWorkers: number;
  /** Undefined while it has no workers, or is being loaded. */
  readonly model: Model | undefined;
  readonly loadedAt: Date | undefined;
}

export interface RegisterRequest {
  readonly url: string;
  /** The model's own when left out. */
  readonly name?: string | undefined;
  readonly version?: string | undefined;
  /** 0 registers only; undefined leaves the placement to model.json. */
  readonly workers?: number | undefined;
  readonly options?: LoadOptions;
  readonly atStartup?: boolean;
}

/** A registration whose model is being loaded. */
export interface Registering {
  /** Rejects with what loading throws; nothing is left of the registration then. */
  readonly loaded: Promise<Registration>;
}

export interface Workers {
  readonly min: number;
  readonly max: number;
}

/** The shelves of all HTTP threads as one. */
export interface Shelves {
  /** Loads on every thread, or on none. Resolves with the main thread's. */
  readonly load: (order: LoadOrder) => Promise<Model>;
  /** Resolves when every thread goes by it. */
  readonly publish: (directory: Directory) => Promise<void>;
  readonly quiet: (id: number) => Promise<void>;
  readonly unload: (id: number) => Promise<void>;
}

/** Where the files of a model are. */
export interface Located {
  readonly path: string;
  /** What the package says about itself. */
  readonly options: LoadOptions;
  /** Removes what was unpacked. */
  readonly release: () => Promise<void>;
}

export interface RegistryParts {
  readonly shelves: Shelves;
  /** @throws  an InferenceError when there is no such model, or none that can be run. */
  readonly locate: (url: string) => Promise<Located>;
}

export interface Registry {
  /**
   * Loads and warms a model, then leads requests to it. The first version of a name is its default.
   * @returns  as soon as the files are found and, where it is known, the name is taken.
   * @throws   what locate() throws; INFER_MODEL_EXISTS for a version that is registered or being registered.
   */
  readonly register: (request: RegisterRequest) => Promise<Registering>;
  /**
   * Moves the model to as many lanes; 0 unloads it and keeps it registered.
   * @param version  the default one when left out.
   * @throws         INFER_MODEL_NOT_FOUND, and what loading throws.
   */
  readonly scale: (name: string, version: string | undefined, to: Workers) => Promise<void>;
  /**
   * Leads no more requests to it, lets the accepted ones finish, frees it.
   * @param version  the default one when left out, which has to be the only one.
   * @throws         INFER_MODEL_NOT_FOUND; INFER_MODEL_EXISTS for the default among several; INFER_DEADLINE when
   *                 requests do not finish in `limitMs`: the model is then as it was.
   */
  readonly unregister: (
    name: string,
    version: string | undefined,
    limitMs: number,
  ) => Promise<void>;
  /** From the next request on. @throws  INFER_MODEL_NOT_FOUND. */
  readonly setDefault: (name: string, version: string) => Promise<void>;
  /** Sorted by name; of each name the default version first. */
  readonly list: () => readonly Registration[];
  /** All versions of a name, the default one first; none when there is no such name. */
  readonly versions: (name: string) => readonly Registration[];
}

interface Entry {
  readonly name: string;
  readonly version: string;
  readonly url: string;
  readonly loadedAtStartup: boolean;
  readonly located: Located;
  readonly options: LoadOptions;
  workers: Workers;
  running: { readonly id: number; readonly model: Model; readonly since: Date } | undefined;
  /** In the directory; not while its requests are let finish. */
  visible: boolean;
}

interface Name {
  defaultVersion: string;
  readonly versions: Map<string, Entry>;
}

interface State extends RegistryParts {
  readonly names: Map<string, Name>;
  /** Changes of one name come one after the other. */
  readonly line: Line;
  nextId: number;
}

export function createRegistry(parts: RegistryParts): Registry {
  const state: State = { ...parts, names: new Map(), line: createLine(), nextId: 1 };
  return {
    register: request => register(state, request),
    scale: (name, version, to) =>
      state.line(name, async () => scale(state, entryOf(state, name, version), to)),
    unregister: (name, version, limitMs) =>
      state.line(name, async () => unregister(state, removable(state, name, version), limitMs)),
    setDefault: (name, version) =>
      state.line(name, async () => {
        const known = nameOf(state, name);
        if (!known.versions.has(version)) throw missingError('no-version', name, version);
        known.defaultVersion = version;
        await publish(state);
      }),
    list: () =>
      [...state.names.entries()]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .flatMap(([, known]) => views(known)),
    versions: name => {
      const known = state.names.get(name);
      return known === undefined ? [] : views(known);
    },
  };
}

function views({ defaultVersion, versions }: Name): Registration[] {
  const isDefault = ({ version }: Entry) => version === defaultVersion;
  return [...versions.values()]
    .sort((a, b) => Number(isDefault(b)) - Number(isDefault(a)))
    .map(({ name, version, url, loadedAtStartup, workers, running }) => ({
      name,
      version,
      url,
      loadedAtStartup,
      minWorkers: workers.min,
      maxWorkers: workers.max,
      model: running?.model,
      loadedAt: running?.since,
    }));
}

/** What a registration is made from. */
interface Job {
  readonly request: RegisterRequest;
  readonly located: Located;
  readonly options: LoadOptions;
}

/** The version of a model that does not say one; see docs/options.md. */
const usualVersion = '1';

async function register(state: State, request: RegisterRequest): Promise<Registering> {
  const located = await state.locate(request.url);
  const job: Job = { request, located, options: optionsOf(request, located) };
  const { name, version } = job.options;
  // Else the model has to be loaded before it tells what it is called.
  if (name === undefined || (version === undefined && state.names.has(name))) {
    return { loaded: load(state, job, undefined) };
  }
  try {
    const entry = enter(state, job, { name, version: version ?? usualVersion });
    return { loaded: state.line(name, () => load(state, job, entry)) };
  } catch (error) {
    await located.release();
    throw error;
  }
}

function optionsOf(request: RegisterRequest, located: Located): LoadOptions {
  const { name, version, options } = request;
  const named = name === undefined ? {} : { name };
  const versioned = version === undefined ? {} : { version };
  return { ...located.options, ...options, ...named, ...versioned };
}

/** From here on the name is taken. */
function enter(state: State, job: Job, as: { name: string; version: string }): Entry {
  const { name, version } = as;
  const known = state.names.get(name);
  if (known?.versions.has(version)) throw exists(name, version);
  const { workers: count = 1, url, atStartup: loadedAtStartup = false } = job.request;
  const workers = { min: count, max: count };
  const { located, options } = job;
  const made = { ...as, url, loadedAtStartup, located, options, workers };
  const entry: Entry = { ...made, running: undefined, visible: true };
  if (known === undefined) {
    state.names.set(name, { defaultVersion: version, versions: new Map([[version, entry]]) });
  } else {
    known.versions.set(version, entry);
  }
  return entry;
}

function leave({ names }: State, { name, version }: Entry): void {
  const known = names.get(name);
  known?.versions.delete(version);
  if (known?.versions.size === 0) names.delete(name);
}

/** Loads it in any case: what is registered without workers was able to run once, and has told its name. */
async function load(state: State, job: Job, early: Entry | undefined): Promise<Registration> {
  const id = state.nextId++;
  const { path } = job.located;
  let entry = early;
  const settle = async (model: Model) => {
    const { name, version } = model.info;
    if (entry?.version !== version) {
      if (entry !== undefined) leave(state, entry);
      entry = undefined;
      entry = enter(state, job, { name, version });
    }
    entry.running = { id, model, since: new Date() };
    if (job.request.workers === undefined) entry.workers = lanesOf(model);
    if (job.request.workers === 0) await stop(state, entry);
    else await publish(state);
    return registrationOf(state, entry);
  };
  try {
    if (entry !== undefined) await publish(state); // it has no workers yet, but is known
    const options = withLanes(job.options, job.request.workers);
    const model = await state.shelves.load({ id, path, options });
    if (entry !== undefined) return await settle(model);
    return await state.line(model.info.name, () => settle(model));
  } catch (error) {
    if (entry !== undefined) leave(state, entry);
    await publish(state);
    await state.shelves.unload(id);
    await job.located.release();
    throw error;
  }
}

function registrationOf(state: State, { name, version }: Entry): Registration {
  const all = views(nameOf(state, name));
  const own = all.find(view => view.version === version);
  if (own === undefined) throw missingError('no-version', name, version);
  return own;
}

function lanesOf({ info }: Model): Workers {
  const { length } = info.lanes;
  return { min: length, max: length };
}

function withLanes(options: LoadOptions, workers: number | undefined): LoadOptions {
  if (workers === undefined || workers === 0) return options;
  const { cores: _, ...placement } = options.placement ?? {};
  return { ...options, placement: { ...placement, lanes: lanesFor(workers) } };
}

/** Each lane has a core; more workers would only take turns with them. */
function lanesFor(workers: number): number {
  return Math.min(workers, listDevices().cores.length);
}

function nameOf({ names }: State, name: string): Name {
  const known = names.get(name);
  if (known === undefined) throw missingError('no-model', name);
  return known;
}

function entryOf(state: State, name: string, version: string | undefined): Entry {
  const known = nameOf(state, name);
  const entry = known.versions.get(version ?? known.defaultVersion);
  if (entry === undefined) throw missingError('no-version', name, version);
  return entry;
}

function removable(state: State, name: string, version: string | undefined): Entry {
  const entry = entryOf(state, name, version);
  const { defaultVersion, versions } = nameOf(state, name);
  if (versions.size > 1 && entry.version === defaultVersion) {
    const expected = 'another version to be the default first, because there are others';
    const message = `model ${labelOf(name, entry.version)}: expected ${expected}`;
    throw new InferenceError('INFER_MODEL_EXISTS', message);
  }
  return entry;
}

async function scale(state: State, entry: Entry, to: Workers): Promise<void> {
  const before = entry.workers;
  entry.workers = to;
  try {
    if (to.min === 0) await stop(state, entry);
    else if (entry.running === undefined) await restart(state, entry);
    else await entry.running.model.scale({ lanes: lanesFor(to.min) });
  } catch (error) {
    entry.workers = before;
    throw error;
  }
}

async function restart(state: State, entry: Entry): Promise<void> {
  const id = state.nextId++;
  const { name, version, located, workers } = entry;
  const options = withLanes({ ...entry.options, name, version }, workers.min);
  const model = await state.shelves.load({ id, path: located.path, options });
  entry.running = { id, model, since: new Date() };
  await publish(state);
}

async function unregister(state: State, entry: Entry, limitMs: number): Promise<void> {
  entry.visible = false;
  await publish(state);
  if (!(await finished(state, entry, limitMs))) {
    entry.visible = true;
    await publish(state);
    const label = labelOf(entry.name, entry.version);
    const message = `model ${label}: its requests did not finish within ${limitMs} ms`;
    throw new InferenceError('INFER_DEADLINE', message);
  }
  leave(state, entry);
  await stop(state, entry);
  await entry.located.release();
}

async function finished(state: State, { running }: Entry, limitMs: number): Promise<boolean> {
  if (running === undefined) return true;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>(resolve => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  const quiet = state.shelves.quiet(running.id).then(() => true);
  try {
    return await Promise.race([quiet, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Leads no more requests to it, lets the accepted ones finish, and frees it. */
async function stop(state: State, entry: Entry): Promise<void> {
  const { running } = entry;
  entry.running = undefined;
  await publish(state);
  if (running === undefined) return;
  await state.shelves.quiet(running.id);
  await state.shelves.unload(running.id);
}

function publish({ names, shelves }: State): Promise<void> {
  const directory = new Map(
    [...names].flatMap(([name, { defaultVersion, versions }]) => {
      const seen = [...versions.values()].filter(({ visible }) => visible);
      if (seen.length === 0) return [];
      const ids = new Map(seen.map(({ version, running }) => [version, running?.id] as const));
      return [[name, { defaultVersion, versions: ids }] as const];
    }),
  );
  return shelves.publish(directory);
}

function exists(name: string, version: string): InferenceError {
  const expected = 'a name and version that are free, but they are registered';
  return new InferenceError(
    'INFER_MODEL_EXISTS',
    `model ${labelOf(name, version)}: expected ${expected}`,
  );
}
