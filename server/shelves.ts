// SPDX-License-Identifier: Apache-2.0
// The shelves of all HTTP threads as one: what is done on one of them is done on all.
// Threads: main only.
import { stat } from 'node:fs/promises';
import { InferenceError } from '../lib/index.js';
import { filesIn } from './model_files.js';
import type { Shelves } from './registry/index.js';
import { type DirectoryEntry, type LoadOrder, labelOf, type Shelf, type Use } from './shelf.js';

/** That of another thread. */
export interface OtherShelf {
  readonly load: (order: LoadOrder) => Promise<void>;
  readonly publish: (name: string, entry: DirectoryEntry | undefined) => Promise<void>;
  readonly quiet: (id: number, limitMs: number) => Promise<boolean>;
  readonly unload: (id: number) => Promise<void>;
  readonly uses: () => Promise<ReadonlyMap<number, Use>>;
}

/** @param others  those of the threads that still answer. */
export function joinShelves(own: Shelf, others: () => readonly OtherShelf[]): Shelves {
  const all = <T>(work: (shelf: OtherShelf) => Promise<T>) => others().map(work);
  const unloadAll = (id: number) => [own.unload(id), ...all(shelf => shelf.unload(id))];
  const loadAll = async (order: LoadOrder) => {
    const model = await own.load(order);
    const loads = await Promise.allSettled(all(shelf => shelf.load(order)));
    const failed = loads.find(load => load.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return model;
  };
  return {
    load: async order => {
      const isAlone = others().length === 0;
      const before = isAlone ? '' : await factsOf(order.path);
      try {
        const model = await loadAll(order);
        if (isAlone || (await factsOf(order.path)) === before) return model;
        const { name, version } = model.info;
        const expected = 'its files to stay as they are while all HTTP threads load them';
        const message = `model ${labelOf(name, version)}: expected ${expected}, but they changed`;
        throw new InferenceError('INFER_MODEL_INVALID', message);
      } catch (error) {
        await Promise.allSettled(unloadAll(order.id)); // none loads it any more
        throw error;
      }
    },
    publish: async (name, entry) => {
      own.publish(name, entry);
      await Promise.all(all(shelf => shelf.publish(name, entry)));
    },
    quiet: async (id, limitMs) => {
      const asked = [own.quiet(id, limitMs), ...all(shelf => shelf.quiet(id, limitMs))];
      return (await Promise.all(asked)).every(isQuiet => isQuiet);
    },
    unload: async id => {
      await Promise.all(unloadAll(id));
    },
    uses: async () => {
      return joinUses([own.uses(), ...(await Promise.all(all(shelf => shelf.uses())))]);
    },
  };
}

function joinUses(ofThreads: readonly ReadonlyMap<number, Use>[]): ReadonlyMap<number, Use> {
  const joined = new Map<number, Use>();
  for (const [id, { holds, lastMs }] of ofThreads.flatMap(uses => [...uses])) {
    const known = joined.get(id) ?? { holds: 0, lastMs: 0 };
    joined.set(id, { holds: known.holds + holds, lastMs: Math.max(known.lastMs, lastMs) });
  }
  return joined;
}

/**
 * What tells the files of a model from others of the same names. Threads that load at different times share one
 * model when it is the same, and else would serve two.
 */
async function factsOf(path: string): Promise<string> {
  const facts = (await filesIn(path)).map(async file => {
    const found = await stat(file, { bigint: true }).catch(() => undefined); // loading it says why
    if (found?.isDirectory()) return file; // what is in it is listed, or lies behind a link
    return `${file} ${found?.dev} ${found?.ino} ${found?.size} ${found?.mtimeNs}`;
  });
  return (await Promise.all(facts)).join('\n');
}
