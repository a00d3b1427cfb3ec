// SPDX-License-Identifier: Apache-2.0
// The loaded models of one HTTP thread, and the directory by which its requests find them.
import { InferenceError, type LoadOptions, loadModel, type Model } from '../lib/index.js';
import { checkImageInputs } from './decode/image.js';
import { type Classifier, classifierOptions } from './packages/index.js';
import type { Traffic, VariantCounts } from './traffic.js';

/** A model as every HTTP thread is to load it; all of them share one copy of it. */
export interface LoadOrder {
  /** Names this loaded model in the directory; never used again. */
  readonly id: number;
  /** Absolute path, or as loadModel() takes it. */
  readonly path: string;
  readonly options: LoadOptions;
  /** What has to wait for the names of the tensors. */
  readonly classifier?: Classifier;
  /** `limits.timeoutMs` where nothing says it; 0 is none. */
  readonly usualTimeoutMs?: number;
}

/** Where the requests of a version are led: to a loaded model, to one that has to be loaded again, or nowhere. */
export type Place = number | 'evicted' | undefined;

/** The versions of one name. */
export interface DirectoryEntry {
  readonly defaultVersion: string;
  /** Of each version; undefined while it has no workers. */
  readonly versions: ReadonlyMap<string, Place>;
  /** Shares out the requests that name no version. */
  readonly traffic: Traffic | undefined;
  /** Whether the server was started with it. */
  readonly isOfStart: boolean;
  /** What requests may call it beside its name. */
  readonly target?: string | undefined;
}

/** How a loaded model is used. */
export interface Use {
  /** Requests that have it now. */
  readonly holds: number;
  /** When the last one took it, or it was loaded; since 1970, by a clock that only moves forward. */
  readonly lastMs: number;
}

/** A loaded model, for the requests of this thread. */
export interface Served {
  readonly model: Model;
  /** Keeps the model for a request that found it, from the same turn of the event loop on. */
  readonly hold: () => void;
  /** Once for each hold(), when the request is answered. */
  readonly release: () => void;
}

/** Why there is nothing to run. */
export type Missing = 'no-model' | 'no-version' | 'no-worker' | 'evicted';

export interface Shelf {
  /** @throws  what loadModel() throws, and INFER_BAD_INPUT for preprocessing that does not fit the model. */
  readonly load: (order: LoadOrder) => Promise<Model>;
  /** What leads requests to a name. It is replaced as a whole, so that no request sees half of a change. */
  readonly publish: (name: string, entry: DirectoryEntry | undefined) => void;
  /** Whether no request of this thread holds the model within the limit; it must not be in the directory any more. */
  readonly quiet: (id: number, limitMs: number) => Promise<boolean>;
  /** Lets accepted requests finish, then gives up this thread's share. Harmless for one that is not loaded. */
  readonly unload: (id: number) => Promise<void>;
  /** @param version  the default one when left out. */
  readonly find: (name: string, version?: string) => Served | Missing;
  /**
   * Waits for a model that was found evicted.
   * @param demand  has it loaded, on all threads.
   * @returns       the model, held for the caller, who has to release it.
   * @throws        what demand() throws, and when the model is gone.
   */
  readonly await: (demand: () => Promise<void>, name: string, version?: string) => Promise<Served>;
  readonly uses: () => ReadonlyMap<number, Use>;
  readonly trafficOf: (name: string) => Traffic | undefined;
  /** The only model that is left of those that the server was started with; undefined when there are others, or none. */
  readonly startupModel: () => string | undefined;
  readonly targetOf: (name: string) => string | undefined;
  /** Counted by whoever chooses; a variant that goes from the directory takes its count along. */
  readonly variants: VariantCounts;
  /** Gives up all of them. */
  readonly close: () => Promise<void>;
}

interface Loaded extends Served {
  readonly quiet: (limitMs: number) => Promise<boolean>;
  readonly use: () => Use;
}

/** A request that waits for its model. */
interface Waiting {
  readonly version: string | undefined;
  readonly take: (served: Served) => void;
}

export function createShelf(): Shelf {
  const loaded = new Map<number, Loaded>();
  const variants: VariantCounts = new Map();
  const directory = new Map<string, DirectoryEntry>();
  const waiting = new Map<string, Set<Waiting>>();
  let startupModel: string | undefined;
  const unload = async (id: number) => {
    const entry = loaded.get(id);
    loaded.delete(id);
    await entry?.model.close();
  };
  const find: Shelf['find'] = (name, version) => {
    const entry = directory.get(name);
    if (entry === undefined) return 'no-model';
    const wanted = version ?? entry.defaultVersion;
    if (!entry.versions.has(wanted)) return 'no-version';
    const place = entry.versions.get(wanted);
    if (place === 'evicted') return place;
    return (place === undefined ? undefined : loaded.get(place)) ?? 'no-worker';
  };
  return {
    load: async order => {
      const model = await loadChecked(order);
      loaded.set(order.id, withHolds(model));
      return model;
    },
    publish: (name, entry) => {
      if (entry === undefined) directory.delete(name);
      else directory.set(name, entry);
      startupModel = onlyOfStart(directory);
      forgetGone(variants, name, entry);
      const ofName = waiting.get(name) ?? [];
      // Held before anybody can unload it again.
      for (const { version, take } of ofName) holdFound(find(name, version), take);
    },
    quiet: async (id, limitMs) => (await loaded.get(id)?.quiet(limitMs)) ?? true,
    unload,
    find,
    await: (demand, name, version) => {
      const join = (take: Waiting['take']) => wait(waiting, name, { version, take });
      return awaitModel({ demand, join, find: () => find(name, version), name, version });
    },
    uses: () => new Map([...loaded].map(([id, { use }]) => [id, use()])),
    trafficOf: name => directory.get(name)?.traffic,
    startupModel: () => startupModel,
    targetOf: name => directory.get(name)?.target,
    variants,
    close: async () => {
      directory.clear();
      await Promise.all([...loaded.keys()].map(unload));
    },
  };
}

function onlyOfStart(directory: ReadonlyMap<string, DirectoryEntry>): string | undefined {
  const [only, other] = [...directory].filter(([, { isOfStart }]) => isOfStart);
  return other === undefined ? only?.[0] : undefined;
}

/** @returns  ends the wait. */
function wait(waiting: Map<string, Set<Waiting>>, name: string, own: Waiting): () => void {
  const ofName = waiting.get(name) ?? new Set();
  waiting.set(name, ofName.add(own));
  return () => {
    ofName.delete(own);
    if (ofName.size === 0) waiting.delete(name);
  };
}

function holdFound(found: Served | Missing, take: (served: Served) => void): void {
  if (typeof found !== 'object') return;
  found.hold();
  take(found);
}

interface Await {
  readonly demand: () => Promise<void>;
  /** Waits for the next time it is loaded, until the function that is returned is called. */
  readonly join: (take: (served: Served) => void) => () => void;
  readonly find: () => Served | Missing;
  readonly name: string;
  readonly version: string | undefined;
}

/** It may be unloaded between two turns of the event loop, so it is asked for until it was held. */
async function awaitModel({ demand, join, find, name, version }: Await): Promise<Served> {
  let held: Served | undefined;
  let onTaken = () => {};
  // Who holds it must not go on waiting: what it waits for may want to unload it.
  const taken = new Promise<void>(resolve => {
    onTaken = resolve;
  });
  const take = (served: Served) => {
    if (held === undefined) held = served;
    else served.release();
    onTaken();
  };
  for (;;) {
    const found = find();
    holdFound(found, take);
    if (held !== undefined) return held;
    if (typeof found === 'string' && found !== 'evicted') throw missingError(found, name, version);
    const leave = join(take);
    try {
      await Promise.race([demand(), taken]);
    } catch (error) {
      if (held === undefined) throw error;
    } finally {
      leave();
    }
    if (held !== undefined) return held;
  }
}

function forgetGone(counts: VariantCounts, name: string, entry: DirectoryEntry | undefined): void {
  const ofModel = counts.get(name);
  if (ofModel === undefined) return;
  const kept = entry?.traffic?.variants.map(own => own.name) ?? [];
  for (const variant of ofModel.keys()) if (!kept.includes(variant)) ofModel.delete(variant);
  if (ofModel.size === 0) counts.delete(name);
}

async function loadChecked(order: LoadOrder): Promise<Model> {
  const model = await loadNamed(order);
  try {
    checkImageInputs(model.info);
  } catch (error) {
    await model.close();
    throw error;
  }
  return model;
}

/** What has to wait for what the loaded model says; the load with it joins the first. */
async function loadNamed({
  path,
  options,
  classifier,
  usualTimeoutMs = 0,
}: LoadOrder): Promise<Model> {
  const model = await loadModel(path, options);
  const { info } = model;
  const hasTimeout = usualTimeoutMs === 0 || info.limits.timeoutMs !== undefined;
  if (classifier === undefined && hasTimeout) return model;
  const images = classifier === undefined ? {} : classifierOptions(classifier, info);
  const limits = hasTimeout ? {} : { limits: { ...options.limits, timeoutMs: usualTimeoutMs } };
  try {
    return await loadModel(path, { ...options, ...images, ...limits });
  } finally {
    await model.close();
  }
}

function withHolds(model: Model): Loaded {
  let holds = 0;
  let lastMs = performance.now();
  let onQuiet: (() => void)[] = [];
  return {
    model,
    use: () => ({ holds, lastMs: performance.timeOrigin + lastMs }),
    hold: () => {
      holds++;
      lastMs = performance.now();
    },
    release: () => {
      holds--;
      if (holds > 0) return;
      for (const resolve of onQuiet) resolve();
      onQuiet = [];
    },
    quiet: limitMs =>
      new Promise(resolve => {
        if (holds === 0) return resolve(true);
        const timer = setTimeout(() => resolve(false), limitMs).unref();
        onQuiet.push(() => {
          clearTimeout(timer);
          resolve(true);
        });
      }),
  };
}

/** `"name"` or `"name/version"`, for messages. */
export function labelOf(name: string, version?: string): string {
  return JSON.stringify(version === undefined ? name : `${name}/${version}`);
}

/** For callers that only know how to fail. */
export function missingError(why: Missing, name: string, version?: string): InferenceError {
  const label = labelOf(name, version);
  if (why === 'no-worker' || why === 'evicted') {
    return new InferenceError('INFER_CLOSED', `model ${label}: registered without workers`);
  }
  return new InferenceError('INFER_MODEL_NOT_FOUND', `model ${label}: not registered`);
}
