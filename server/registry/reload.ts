// SPDX-License-Identifier: Apache-2.0
// Loads a registered model again: one that had no workers, or was unloaded to make room.
import { missingError } from '../shelf.js';
import { publish } from './publish.js';
import { takeRoom } from './room.js';
import { type Entry, loadWith, nameOf, orderOf, type State } from './state.js';

/** Loads it and leads requests to it. @throws  what loading throws; it is then as it was. */
export async function reload(state: State, entry: Entry): Promise<void> {
  const { name, version, located, workers, sizeBytes } = entry;
  const giveBack = await takeRoom(state, { name, version, sizeBytes });
  try {
    const id = state.nextId++;
    const order = orderOf(state, { id, located }, { ...entry.options, name, version });
    const model = await loadWith(state, order, workers.min);
    entry.running = { id, model, since: new Date() };
    entry.isEvicted = false;
  } finally {
    giveBack();
  }
  await publish(state, name);
}

/**
 * The load that requests wait for; all that come meanwhile wait for the same one.
 * @throws  INFER_MODEL_NOT_FOUND when it is not registered any more.
 */
export function demand(state: State, entry: Entry): Promise<void> {
  const { name } = entry;
  entry.reloading ??= state
    .line(name, async () => {
      await entry.evicting;
      if (nameOf(state, name).versions.get(entry.version) !== entry) {
        throw missingError('no-version', name, entry.version);
      }
      if (entry.isEvicted) await reload(state, entry);
    })
    .finally(() => {
      entry.reloading = undefined;
    });
  return entry.reloading;
}
