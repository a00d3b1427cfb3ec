// SPDX-License-Identifier: Apache-2.0
// Every model that is registered: adds, scales, replaces and removes them on all HTTP threads alike.
// Threads: main only; what other threads need of it is in their shelves.
import { InferenceError } from '../../lib/index.js';
import { createLine } from '../line.js';
import { labelOf, missingError } from '../shelf.js';
import type { Traffic } from '../traffic.js';
import { publish } from './publish.js';
import { register } from './register.js';
import { demand, reload } from './reload.js';
import { tellChange } from './room.js';
import {
  type Entry,
  entryOf,
  lanesFor,
  leave,
  nameOf,
  type Registering,
  type RegisterRequest,
  type Registration,
  type RegistryParts,
  type State,
  views,
  type Workers,
} from './state.js';
import { isInTime, stop } from './stop.js';

export type {
  Located,
  Registering,
  RegisterRequest,
  Registration,
  RoomLimits,
  Shelves,
  Workers,
} from './state.js';
export { isInTime } from './stop.js';

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
   * @throws         INFER_MODEL_NOT_FOUND, what loading throws, and INFER_DEADLINE when it is to be unloaded and
   *                 requests do not finish in `limitMs`: the model is then as it was.
   */
  readonly scale: (
    name: string,
    version: string | undefined,
    to: Workers,
    limitMs: number,
  ) => Promise<void>;
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
  /**
   * Loads a model that was unloaded to make room; all who ask meanwhile wait for the same load.
   * @param version  the default one when left out.
   * @throws         INFER_MODEL_NOT_FOUND, and what loading throws: the next one who asks tries again.
   */
  readonly demand: (name: string, version?: string) => Promise<void>;
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
  /**
   * Refuses to register, scale and unregister from now on (INFER_CLOSED), and waits for what goes on of that.
   * @throws  INFER_DEADLINE when one of them takes longer; it goes on.
   */
  readonly close: (limitMs: number) => Promise<void>;
}

export function createRegistry(parts: RegistryParts): Registry {
  const state: State = {
    ...parts,
    names: new Map(),
    line: createLine(),
    room: { limits: parts.limits, line: createLine(), models: 0, bytes: 0, waiting: [] },
    changes: new Set(),
    isClosing: false,
    nextId: 1,
  };
  const change = (name: string, work: () => Promise<void>) => {
    refuseWhenClosing(state);
    return noted(state, state.line(name, work));
  };
  return {
    register: async request => {
      refuseWhenClosing(state);
      const registering = register(state, request);
      noted(
        state,
        registering.then(({ loaded }) => loaded),
      ).catch(() => {}); // told by the two promises that are in it
      return registering;
    },
    scale: async (name, version, to, limitMs) =>
      change(name, () =>
        alone(state, entryOf(state, name, version), entry => scale(state, entry, { to, limitMs })),
      ),
    unregister: async (name, version, limitMs) =>
      change(name, () =>
        alone(state, removable(state, name, version), entry => unregister(state, entry, limitMs)),
      ),
    demand: async (name, version) => {
      refuseWhenClosing(state);
      return noted(state, demand(state, entryOf(state, name, version)));
    },
    setDefault: (name, version) => state.line(name, () => setDefault(state, name, version)),
    setTraffic: (name, traffic) => state.line(name, () => setTraffic(state, name, traffic)),
    trafficOf: name => state.names.get(name)?.traffic,
    list: () =>
      [...state.names.entries()]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .flatMap(([, known]) => views(known)),
    versions: name => {
      const known = state.names.get(name);
      return known === undefined ? [] : views(known);
    },
    close: async limitMs => {
      state.isClosing = true;
      if (await isInTime(Promise.allSettled(state.changes), limitMs)) return;
      const message = `models: expected their changes to end within ${limitMs} ms, but ${state.changes.size} go on`;
      throw new InferenceError('INFER_DEADLINE', message);
    },
  };
}

function refuseWhenClosing({ isClosing }: State): void {
  if (!isClosing) return;
  const expected = 'a server that keeps them, but this one ends';
  throw new InferenceError('INFER_CLOSED', `models: expected ${expected}`);
}

function noted<T>({ changes }: State, work: Promise<T>): Promise<T> {
  changes.add(work);
  const forget = () => changes.delete(work);
  work.then(forget, forget);
  return work;
}

async function setDefault(state: State, name: string, version: string): Promise<void> {
  const known = nameOf(state, name);
  if (!known.versions.has(version)) throw missingError('no-version', name, version);
  known.defaultVersion = version;
  await publish(state, name);
}

async function setTraffic(state: State, name: string, traffic: Traffic | undefined): Promise<void> {
  const known = nameOf(state, name);
  for (const { version } of traffic?.variants ?? []) entryOf(state, name, version);
  known.traffic = traffic;
  await publish(state, name);
}

/** Changes a model that nobody unloads meanwhile to make room. */
async function alone(
  state: State,
  entry: Entry,
  work: (entry: Entry) => Promise<void>,
): Promise<void> {
  entry.changes++;
  try {
    await entry.evicting;
    await work(entry);
  } finally {
    entry.changes--;
    tellChange(state.room);
  }
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

async function scale(
  state: State,
  entry: Entry,
  { to, limitMs }: { to: Workers; limitMs: number },
): Promise<void> {
  const before = entry.workers;
  entry.workers = to;
  try {
    if (to.min === 0) {
      await stop(state, entry, { ending: 'scaled to none', limitMs });
      entry.ending = undefined;
      await publish(state, entry.name);
    } else if (entry.running === undefined) await reload(state, entry);
    else await entry.running.model.scale({ lanes: lanesFor(to.min) });
  } catch (error) {
    entry.workers = before;
    throw error;
  }
}

async function unregister(state: State, entry: Entry, limitMs: number): Promise<void> {
  await stop(state, entry, { ending: 'unregistered', limitMs });
  leave(state, entry);
  await publish(state, entry.name);
  await entry.located.release();
}
