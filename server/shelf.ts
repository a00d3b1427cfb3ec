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
}

/** The versions of one name. */
export interface DirectoryEntry {
  readonly defaultVersion: string;
  /** The loaded model of each version; undefined while it has no workers. */
  readonly versions: ReadonlyMap<string, number | undefined>;
  /** Shares out the requests that name no version. */
  readonly traffic: Traffic | undefined;
  /** Whether the server was started with it. */
  readonly isOfStart: boolean;
}

/** What leads requests to models, by name. It is replaced as a whole, so that no request sees half of a change. */
export type Directory = ReadonlyMap<string, DirectoryEntry>;

/** A loaded model, for the requests of this thread. */
export interface Served {
  readonly model: Model;
  /** Keeps the model for a request that found it, from the same turn of the event loop on. */
  readonly hold: () => void;
  /** Once for each hold(), when the request is answered. */
  readonly release: () => void;
}

/** Why there is nothing to run. */
export type Missing = 'no-model' | 'no-version' | 'no-worker';

export interface Shelf {
  /** @throws  what loadModel() throws, and INFER_BAD_INPUT for preprocessing that does not fit the model. */
  readonly load: (order: LoadOrder) => Promise<Model>;
  readonly publish: (directory: Directory) => void;
  /** Whether no request of this thread holds the model within the limit; it must not be in the directory any more. */
  readonly quiet: (id: number, limitMs: number) => Promise<boolean>;
  /** Lets accepted requests finish, then gives up this thread's share. Harmless for one that is not loaded. */
  readonly unload: (id: number) => Promise<void>;
  /** @param version  the default one when left out. */
  readonly find: (name: string, version?: string) => Served | Missing;
  readonly trafficOf: (name: string) => Traffic | undefined;
  /** The only model that is left of those that the server was started with; undefined when there are others, or none. */
  readonly startupModel: () => string | undefined;
  /** Counted by whoever chooses; a variant that goes from the directory takes its count along. */
  readonly variants: VariantCounts;
  /** Gives up all of them. */
  readonly close: () => Promise<void>;
}

interface Loaded extends Served {
  readonly quiet: (limitMs: number) => Promise<boolean>;
}

export function createShelf(): Shelf {
  const loaded = new Map<number, Loaded>();
  const variants: VariantCounts = new Map();
  let directory: Directory = new Map();
  let startupModel: string | undefined;
  const unload = async (id: number) => {
    const entry = loaded.get(id);
    loaded.delete(id);
    await entry?.model.close();
  };
  return {
    load: async order => {
      const model = await loadChecked(order);
      loaded.set(order.id, withHolds(model));
      return model;
    },
    publish: next => {
      directory = next;
      startupModel = onlyOfStart(next);
      forgetGone(variants, directory);
    },
    quiet: async (id, limitMs) => (await loaded.get(id)?.quiet(limitMs)) ?? true,
    unload,
    find: (name, version) => {
      const entry = directory.get(name);
      if (entry === undefined) return 'no-model';
      const wanted = version ?? entry.defaultVersion;
      if (!entry.versions.has(wanted)) return 'no-version';
      return loaded.get(entry.versions.get(wanted) ?? -1) ?? 'no-worker';
    },
    trafficOf: name => directory.get(name)?.traffic,
    startupModel: () => startupModel,
    variants,
    close: async () => {
      directory = new Map();
      await Promise.all([...loaded.keys()].map(unload));
    },
  };
}

function onlyOfStart(directory: Directory): string | undefined {
  const [only, other] = [...directory].filter(([, { isOfStart }]) => isOfStart);
  return other === undefined ? only?.[0] : undefined;
}

function forgetGone(counts: VariantCounts, directory: Directory): void {
  for (const [model, ofModel] of counts) {
    const kept = directory.get(model)?.traffic?.variants.map(({ name }) => name) ?? [];
    for (const name of ofModel.keys()) if (!kept.includes(name)) ofModel.delete(name);
    if (ofModel.size === 0) counts.delete(model);
  }
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

/** The options of a classifier name tensors, which only the loaded model knows; the load with them joins the first. */
async function loadNamed({ path, options, classifier }: LoadOrder): Promise<Model> {
  const model = await loadModel(path, options);
  if (classifier === undefined) return model;
  try {
    return await loadModel(path, { ...options, ...classifierOptions(classifier, model.info) });
  } finally {
    await model.close();
  }
}

function withHolds(model: Model): Loaded {
  let holds = 0;
  let onQuiet: (() => void)[] = [];
  return {
    model,
    hold: () => {
      holds++;
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
  if (why === 'no-worker') {
    return new InferenceError('INFER_CLOSED', `model ${label}: registered without workers`);
  }
  return new InferenceError('INFER_MODEL_NOT_FOUND', `model ${label}: not registered`);
}
