// SPDX-License-Identifier: Apache-2.0
// A model from a package, registered in this process as the server does it at its start.
import type { Model } from '../../lib/index.js';
import { createMemory } from '../../server/memory.js';
import type { Packages } from '../../server/packages/index.js';
import { createRegistry, type Registration } from '../../server/registry/index.js';
import { createShelf } from '../../server/shelf.js';
import { joinShelves } from '../../server/shelves.js';

export interface Registered {
  readonly served: Registration;
  readonly model: Model;
  readonly close: () => Promise<void>;
}

export async function register(packages: Packages, url: string): Promise<Registered> {
  const shelf = createShelf();
  const registry = createRegistry({
    shelves: joinShelves(shelf, () => []),
    locate: packages.open,
    warn: () => {},
    limits: { maxModels: 0, maxBytes: 0, memory: createMemory(0) },
    usualTimeoutMs: 0,
  });
  const { loaded } = await registry.register({ url, atStartup: true });
  const served = await loaded;
  const { model, name } = served;
  if (model === undefined) throw new Error(`${url}: expected a loaded model`);
  return { served, model, close: () => registry.unregister(name, undefined, 10_000) };
}
