// SPDX-License-Identifier: Apache-2.0
// Registers a model: takes its name, loads it on all HTTP threads, and leads requests to it.
import { InferenceError, type LoadOptions, type Model } from '../../lib/index.js';
import { labelOf } from '../shelf.js';
import {
  type Entry,
  type Located,
  leave,
  loadWith,
  nameOf,
  orderOf,
  publish,
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
}

/** The version of a model that does not say one; see docs/options.md. */
const usualVersion = '1';

export async function register(state: State, request: RegisterRequest): Promise<Registering> {
  const located = await state.locate(request.url, request.atStartup === true);
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
  const { located, options } = job;
  const made = { ...as, url, loadedAtStartup, located, options, workers };
  const entry: Entry = { ...made, running: undefined, ending: undefined };
  if (known === undefined) {
    const versions = new Map([[version, entry]]);
    state.names.set(name, { defaultVersion: version, traffic: undefined, versions });
  } else {
    known.versions.set(version, entry);
  }
  return entry;
}

/** Loads it in any case: what is registered without workers was able to run once, and has told its name. */
async function load(state: State, job: Job, early: Entry | undefined): Promise<Registration> {
  const id = state.nextId++;
  let entry = early;
  const settle = async (model: Model) => {
    const { version } = model.info;
    if (entry?.version !== version) entry = enterAnew(state, job, { model, early: entry });
    if (job.request.workers === undefined) entry.workers = lanesOf(model);
    if (job.request.workers === 0) await state.shelves.unload(id);
    else entry.running = { id, model, since: new Date() };
    await publish(state);
    return registrationOf(state, entry);
  };
  try {
    if (entry !== undefined) await publish(state); // it has no workers yet, but is known
    const order = orderOf(id, job.located, job.options);
    const model = await loadWith(state, order, job.request.workers);
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
