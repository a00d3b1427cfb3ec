// SPDX-License-Identifier: Apache-2.0
// What the registry knows of each model, and how that is looked up and published.
import { type LoadOptions, listDevices, type Model } from '../../lib/index.js';
import type { Line } from '../line.js';
import type { Memory } from '../memory.js';
import type { Classifier } from '../packages/index.js';
import { type DirectoryEntry, type LoadOrder, missingError, type Use } from '../shelf.js';
import { type Traffic, withoutVersion } from '../traffic.js';

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
  /** It was unloaded to make room, and the next request loads it again. */
  readonly isEvicted: boolean;
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
  /** What its clients may call it beside its name; requests that say something else are not for it. */
  readonly target?: string;
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
  /** Resolves when every thread goes by it; undefined takes the name out. */
  readonly publish: (name: string, entry: DirectoryEntry | undefined) => Promise<void>;
  /** Whether no request holds the model within the limit, which counts on each thread from when it is asked. */
  readonly quiet: (id: number, limitMs: number) => Promise<boolean>;
  readonly unload: (id: number) => Promise<void>;
  /** Of all loaded models, on all threads together. */
  readonly uses: () => Promise<ReadonlyMap<number, Use>>;
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

/** How much may be loaded at a time. */
export interface RoomLimits {
  /** 0: as many as fit. More are unloaded, and loaded again when a request comes. */
  readonly maxModels: number;
  /** Of their files; 0: any number. */
  readonly maxBytes: number;
  readonly memory: Memory;
}

/** What is being loaded, and who waits for it to end. */
export interface Room {
  readonly limits: RoomLimits;
  readonly line: Line;
  models: number;
  bytes: number;
  waiting: (() => void)[];
}

export interface RegistryParts {
  readonly shelves: Shelves;
  /**
   * @param isTrusted  whether whoever gives the url may name any file of this machine.
   * @throws           an InferenceError when there is no such model, or none that can be run.
   */
  readonly locate: (url: string, isTrusted: boolean) => Promise<Located>;
  /** Tells the operator what changed without being asked for. */
  readonly warn: (line: Readonly<Record<string, unknown>>) => void;
  readonly limits: RoomLimits;
  /** `limits.timeoutMs` of a model that says nothing of it; 0 is none. */
  readonly usualTimeoutMs: number;
}

/** Why no requests are led to a loaded model while those that it has accepted finish. */
export type Ending = 'scaled to none' | 'unregistered' | 'evicted';

export interface Entry {
  readonly name: string;
  readonly version: string;
  readonly url: string;
  readonly loadedAtStartup: boolean;
  readonly located: Located;
  readonly options: LoadOptions;
  /** Of its files. */
  readonly sizeBytes: number;
  workers: Workers;
  running: { readonly id: number; readonly model: Model; readonly since: Date } | undefined;
  ending: Ending | undefined;
  /** It was unloaded to make room, and the next request loads it again. */
  isEvicted: boolean;
  /** Settles when it is unloaded. */
  evicting: Promise<void> | undefined;
  /** What requests wait for that found it evicted. */
  reloading: Promise<void> | undefined;
  /** How many changes go on with it; it is not evicted meanwhile. */
  changes: number;
}

export interface Name {
  /** Always one of the versions, and so are those of the traffic. */
  defaultVersion: string;
  traffic: Traffic | undefined;
  /** See RegisterRequest. */
  target: string | undefined;
  readonly versions: Map<string, Entry>;
}

export interface State extends RegistryParts {
  readonly room: Room;
  readonly names: Map<string, Name>;
  /** Changes of one name come one after the other. */
  readonly line: Line;
  /** Settle, each when a change that was asked for is over. */
  readonly changes: Set<Promise<unknown>>;
  /** Takes no more changes. */
  isClosing: boolean;
  nextId: number;
}

export function views({ defaultVersion, versions }: Name): Registration[] {
  const isDefault = ({ version }: Entry) => version === defaultVersion;
  return [...versions.values()]
    .sort((a, b) => Number(isDefault(b)) - Number(isDefault(a)))
    .map(({ name, version, url, loadedAtStartup, workers, running, located, isEvicted }) => ({
      name,
      version,
      url,
      loadedAtStartup,
      notes: located.notes,
      minWorkers: workers.min,
      maxWorkers: workers.max,
      model: running?.model,
      loadedAt: running?.since,
      isEvicted,
    }));
}

export function registrationOf(state: State, { name, version }: Entry): Registration {
  const all = views(nameOf(state, name));
  const own = all.find(view => view.version === version);
  if (own === undefined) throw missingError('no-version', name, version);
  return own;
}

/** What was led to it is led to other versions: as the default to one that runs, where one does. */
export function leave({ names, warn }: State, { name, version }: Entry): void {
  const known = names.get(name);
  if (known === undefined) return;
  known.versions.delete(version);
  const left = [...known.versions.values()];
  const next = left.find(({ running }) => running !== undefined) ?? left[0];
  if (next === undefined) {
    names.delete(name);
    return;
  }
  if (known.defaultVersion === version) known.defaultVersion = next.version;
  const dropped = known.traffic?.variants.filter(own => own.version === version) ?? [];
  if (dropped.length === 0) return;
  known.traffic = known.traffic && withoutVersion(known.traffic, version);
  warn({ event: 'variants_dropped', model: name, version, variants: dropped });
}

/** @param workers  undefined and 0 leave the placement to model.json. */
export async function loadWith(
  { shelves }: State,
  order: LoadOrder,
  workers: number | undefined,
): Promise<Model> {
  if (workers === undefined || workers === 0) return shelves.load(order);
  const lanes = lanesFor(workers);
  const { options } = order;
  const { cores: _, ...placement } = options.placement ?? {};
  const placed = { ...options, placement: { ...placement, lanes } };
  const model = await shelves.load({ ...order, options: placed });
  if (model.info.lanes.length === lanes) return model;
  try {
    await model.scale({ lanes }); // the `placement.cores` of model.json count for more than `lanes`
  } catch (error) {
    await shelves.unload(order.id);
    throw error;
  }
  return model;
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

/** What every thread is to load for it. */
export function orderOf(
  { usualTimeoutMs }: State,
  { id, located: { path, classifier } }: { id: number; located: Located },
  options: LoadOptions,
): LoadOrder {
  return { id, path, options, usualTimeoutMs, ...(classifier === undefined ? {} : { classifier }) };
}
