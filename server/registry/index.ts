// SPDX-License-Identifier: Apache-2.0
// Every model that is registered: adds, scales, replaces and removes them on all HTTP threads alike.
// Threads: main only; what other threads need of it is in their shelves.
import { InferenceError } from '../../lib/index.js';
import { createLine } from '../line.js';
import { labelOf, missingError } from '../shelf.js';
import type { Traffic } from '../traffic.js';
import { register } from './register.js';
import {
  type Entry,
  entryOf,
  lanesFor,
  leave,
  nameOf,
  orderOf,
  publish,
  type Registering,
  type RegisterRequest,
  type Registration,
  type RegistryParts,
  type State,
  stop,
  views,
  type Workers,
  withLanes,
} from './state.js';

export type {
  Located,
  Registering,
  RegisterRequest,
  Registration,
  Shelves,
  Workers,
} from './state.js';

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
   * @throws         INFER_MODEL_NOT_FOUND; INFER_MODEL_EXISTS for the default among several, and for one that has a
   *                 share of the traffic; INFER_DEADLINE when
   *                 requests do not finish in `limitMs`: the model is then as it was.
   */
  readonly unregister: (
    name: string,
    version: string | undefined,
    limitMs: number,
  ) => Promise<void>;
  /** From the next request on. @throws  INFER_MODEL_NOT_FOUND. */
  readonly setDefault: (name: string, version: string) => Promise<void>;
  /**
   * Shares out the requests that name no version, from the next one on; undefined leads them to the default again.
   * @throws  INFER_MODEL_NOT_FOUND, also for a variant's version.
   */
  readonly setTraffic: (name: string, traffic: Traffic | undefined) => Promise<void>;
  readonly trafficOf: (name: string) => Traffic | undefined;
  /** Sorted by name; of each name the default version first. */
  readonly list: () => readonly Registration[];
  /** All versions of a name, the default one first; none when there is no such name. */
  readonly versions: (name: string) => readonly Registration[];
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
    setTraffic: (name, traffic) =>
      state.line(name, async () => {
        const known = nameOf(state, name);
        for (const { version } of traffic?.variants ?? []) entryOf(state, name, version);
        known.traffic = traffic;
        await publish(state);
      }),
    trafficOf: name => state.names.get(name)?.traffic,
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

function removable(state: State, name: string, version: string | undefined): Entry {
  const entry = entryOf(state, name, version);
  const { defaultVersion, versions, traffic } = nameOf(state, name);
  const variant = traffic?.variants.find(own => own.version === entry.version);
  if (variant !== undefined) {
    const expected = `traffic without it first, because it is variant ${JSON.stringify(variant.name)}`;
    const message = `model ${labelOf(name, entry.version)}: expected ${expected}`;
    throw new InferenceError('INFER_MODEL_EXISTS', message);
  }
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
  const model = await state.shelves.load(orderOf(id, located, options));
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
