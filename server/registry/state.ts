// SPDX-License-Identifier: Apache-2.0
// What the registry knows of each model, and how that is looked up and published.
import { type LoadOptions, listDevices, type Model } from '../../lib/index.js';
import type { Line } from '../line.js';
import type { Classifier } from '../packages/index.js';
import { type Directory, type LoadOrder, missingError } from '../shelf.js';
import type { Traffic } from '../traffic.js';

/** One version of a model that was registered. */
export interface Registration {
  readonly name: string;
  readonly version: string;
  /** As the operator or client wrote it. */
  readonly url: string;
  readonly loadedAtStartup: boolean;
  /** What the operator should know about its package. */
  readonly notes: readonly string[];
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

/** Where the files of a model are, and what its package says about it. */
export interface Located {
  readonly path: string;
  readonly options: LoadOptions;
  readonly classifier?: Classifier;
  readonly notes: readonly string[];
  /** Removes what was unpacked. */
  readonly release: () => Promise<void>;
}

export interface RegistryParts {
  readonly shelves: Shelves;
  /**
   * @param isTrusted  whether whoever gives the url may name any file of this machine.
   * @throws           an InferenceError when there is no such model, or none that can be run.
   */
  readonly locate: (url: string, isTrusted: boolean) => Promise<Located>;
}

export interface Entry {
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

export interface Name {
  defaultVersion: string;
  traffic: Traffic | undefined;
  readonly versions: Map<string, Entry>;
}

export interface State extends RegistryParts {
  readonly names: Map<string, Name>;
  /** Changes of one name come one after the other. */
  readonly line: Line;
  nextId: number;
}

export function views({ defaultVersion, versions }: Name): Registration[] {
  const isDefault = ({ version }: Entry) => version === defaultVersion;
  return [...versions.values()]
    .sort((a, b) => Number(isDefault(b)) - Number(isDefault(a)))
    .map(({ name, version, url, loadedAtStartup, workers, running, located }) => ({
      name,
      version,
      url,
      loadedAtStartup,
      notes: located.notes,
      minWorkers: workers.min,
      maxWorkers: workers.max,
      model: running?.model,
      loadedAt: running?.since,
    }));
}

export function registrationOf(state: State, { name, version }: Entry): Registration {
  const all = views(nameOf(state, name));
  const own = all.find(view => view.version === version);
  if (own === undefined) throw missingError('no-version', name, version);
  return own;
}

export function leave({ names }: State, { name, version }: Entry): void {
  const known = names.get(name);
  known?.versions.delete(version);
  if (known?.versions.size === 0) names.delete(name);
}

export function withLanes(options: LoadOptions, workers: number | undefined): LoadOptions {
  if (workers === undefined || workers === 0) return options;
  const { cores: _, ...placement } = options.placement ?? {};
  return { ...options, placement: { ...placement, lanes: lanesFor(workers) } };
}

/** Each lane has a core; more workers would only take turns with them. */
export function lanesFor(workers: number): number {
  return Math.min(workers, listDevices().cores.length);
}

export function nameOf({ names }: State, name: string): Name {
  const known = names.get(name);
  if (known === undefined) throw missingError('no-model', name);
  return known;
}

export function entryOf(state: State, name: string, version: string | undefined): Entry {
  const known = nameOf(state, name);
  const entry = known.versions.get(version ?? known.defaultVersion);
  if (entry === undefined) throw missingError('no-version', name, version);
  return entry;
}

/** Leads no more requests to it, lets the accepted ones finish, and frees it. */
export async function stop(state: State, entry: Entry): Promise<void> {
  const { running } = entry;
  entry.running = undefined;
  await publish(state);
  if (running === undefined) return;
  await state.shelves.quiet(running.id);
  await state.shelves.unload(running.id);
}

export function publish({ names, shelves }: State): Promise<void> {
  const directory = new Map(
    [...names].flatMap(([name, { defaultVersion, versions, traffic }]) => {
      const seen = [...versions.values()].filter(({ visible }) => visible);
      if (seen.length === 0) return [];
      const ids = new Map(seen.map(({ version, running }) => [version, running?.id] as const));
      return [[name, { defaultVersion, versions: ids, traffic }] as const];
    }),
  );
  return shelves.publish(directory);
}

/** What every thread is to load for it. */
export function orderOf(
  id: number,
  { path, classifier }: Located,
  options: LoadOptions,
): LoadOrder {
  return { id, path, options, ...(classifier === undefined ? {} : { classifier }) };
}
