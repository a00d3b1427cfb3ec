// SPDX-License-Identifier: Apache-2.0
// Name -> loaded model: load, find, list, close.
import { InferenceError, type LoadOptions, loadModel, type Model } from '../lib/index.js';
import { checkImageInputs } from './decode/image.js';

/** A model under the name it is served by. */
export interface Served {
  readonly name: string;
  /** As the operator wrote it. */
  readonly path: string;
  readonly loadedAtStartup: boolean;
  readonly loadedAt: Date;
  readonly model: Model;
}

/** What to load; without a name the model's own is taken. */
export interface LoadRequest {
  readonly path: string;
  readonly name?: string | undefined;
  readonly atStartup?: boolean;
}

export interface Registry {
  /** @throws  what loadModel() throws; INFER_MODEL_EXISTS when the name is taken. */
  readonly load: (request: LoadRequest) => Promise<Served>;
  readonly find: (name: string) => Served | undefined;
  /** Sorted by name. */
  readonly list: () => readonly Served[];
  /** Whether every model that was asked for is loaded. */
  readonly ready: () => boolean;
  /** Lets accepted requests finish, then frees all models. */
  readonly close: () => Promise<void>;
}

export function createRegistry(): Registry {
  const served = new Map<string, Served>();
  let loading = 0;
  return {
    load: async request => {
      loading++;
      try {
        return await load(served, request);
      } finally {
        loading--;
      }
    },
    find: name => served.get(name),
    list: () => [...served.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    ready: () => loading === 0,
    close: async () => {
      const models = [...served.values()];
      served.clear();
      await Promise.all(models.map(({ model }) => model.close()));
    },
  };
}

async function load(served: Map<string, Served>, request: LoadRequest): Promise<Served> {
  const { path, atStartup: loadedAtStartup = false } = request;
  const options: LoadOptions = request.name === undefined ? {} : { name: request.name };
  const model = await loadModel(path, options);
  const { name } = model.info;
  try {
    checkImageInputs(model.info);
    if (served.has(name)) throw exists(name, path);
  } catch (error) {
    await model.close();
    throw error;
  }
  const entry: Served = { name, path, loadedAtStartup, loadedAt: new Date(), model };
  served.set(name, entry);
  return entry;
}

function exists(name: string, path: string): InferenceError {
  return new InferenceError(
    'INFER_MODEL_EXISTS',
    `model ${JSON.stringify(name)}: expected a name that is still free, but ${path} has the same; give one with name=path`,
  );
}
