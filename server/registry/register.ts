// SPDX-License-Identifier: Apache-2.0
// Registers a model: takes its name, loads it on all HTTP threads, and leads requests to it.
import { InferenceError, type LoadOptions, type Model } from '../../lib/index.js';
import { redact } from '../redact.js';
import { labelOf } from '../shelf.js';
import { publish } from './publish.js';
import { takeRoom } from './room.js';
import { sizeOf } from './size.js';
import {
  type Entry,
  type Located,
  leave,
  loadWith,
  nameOf,
  orderOf,
  type Registering,
  type RegisterRequest,
  type Registration,
  registrationOf,
  type State,
  type Workers,
} from './state.js';

/** What a registration is made from. */
interface Job {
  readonly request: RegisterRequest;
  readonly located: Located;
  readonly options: LoadOptions;
  readonly sizeBytes: number;
}

/** The version of a model that does not say one; see docs/options.md. */
const usualVersion = '1';

export async function register(state: State, request: RegisterRequest): Promise<Registering> {
  const located = await state.locate(request.url, request.atStartup === true);
  const sizeBytes = await sizeOf(located.path);
  const job: Job = { request, located, options: optionsOf(request, located), sizeBytes };
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

/** What stands where a version does in the paths of the management API. */
const reserved = ['all', 'traffic'];

/**
 * From here on the name is taken.
 * @throws  INFER_MODEL_EXISTS, and INFER_BAD_INPUT for a version that is reserved.
 */
function enter(state: State, job: Job, as: { name: string; version: string }): Entry {
  const { name, version } = as;
  if (reserved.includes(version)) {
    const expected = `a version other than ${reserved.join(' and ')}, which the management API has uses for`;
    throw new InferenceError(
      'INFER_BAD_INPUT',
      `model ${labelOf(name, version)}: expected ${expected}`,
    );
  }
  const known = state.names.get(name);
  if (known?.versions.has(version)) throw exists(name, version);
  const { workers: count = 1, url, atStartup: loadedAtStartup = false } = job.request;
  const workers = { min: count, max: count };
  const { located, options, sizeBytes } = job;
  const made = { ...as, url, loadedAtStartup, located, options, sizeBytes, workers };
  const entry: Entry = { ...made, ...idle };
  const { target } = job.request;
  if (known === undefined) {
    const versions = new Map([[version, entry]]);
    state.names.set(name, { defaultVersion: version, traffic: undefined, target, versions });
  } else {
    known.versions.set(version, entry);
  }
  return entry;
}

/** Nothing is loaded yet. */
const idle = {
  running: undefined,
  ending: undefined,
  isEvicted: false,
  evicting: undefined,
  reloading: undefined,
  changes: 0,
} as const;

/** Loads it in any case: what is registered without workers was able to run once, and has told its name. */
async function load(state: State, job: Job, early: Entry | undefined): Promise<Registration> {
  const id = state.nextId++;
  const { located, options, request, sizeBytes } = job;
  let entry = early;
  let giveBack = () => {};
  const settle = async (model: Model) => {
    const { name, version } = model.info;
    if (entry?.version !== version) entry = enterAnew(state, job, { model, early: entry });
    if (request.workers === undefined) entry.workers = lanesOf(model);
    if (request.workers === 0) await state.shelves.unload(id);
    else entry.running = { id, model, since: new Date() };
    giveBack();
    await publish(state, name);
    return registrationOf(state, entry);
  };
  try {
    if (entry !== undefined) await publish(state, entry.name); // it has no workers yet, but is known
    giveBack = once(
      await takeRoom(state, { name: options.name ?? redact(request.url), sizeBytes }),
    );
    const model = await loadWith(state, orderOf(state, { id, located }, options), request.workers);
    if (entry !== undefined) return await settle(model);
    giveBack(); // whoever changes that name now may wait for room
    return await state.line(model.info.name, () => settle(model));
  } catch (error) {
    if (entry !== undefined) {
      leave(state, entry);
      await publish(state, entry.name);
    }
    await state.shelves.unload(id);
    await located.release();
    throw error;
  } finally {
    giveBack();
  }
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}

/** The model says another version than it was entered as, or was not entered before it was loaded. */
function enterAnew(
  state: State,
  job: Job,
  { model, early }: { model: Model; early: Entry | undefined },
): Entry {
  const { name, version } = model.info;
  const entry = enter(state, job, { name, version });
  if (early !== undefined) {
    const known = nameOf(state, name);
    if (known.defaultVersion === early.version) known.defaultVersion = version;
    leave(state, early);
  }
  return entry;
}

function lanesOf({ info }: Model): Workers {
  const { length } = info.lanes;
  return { min: length, max: length };
}

function exists(name: string, version: string): InferenceError {
  const expected = 'a name and version that are free, but they are registered';
  return new InferenceError(
    'INFER_MODEL_EXISTS',
    `model ${labelOf(name, version)}: expected ${expected}`,
  );
}
