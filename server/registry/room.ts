// SPDX-License-Identifier: Apache-2.0
// Room for loaded models: refuses what does not fit, or first unloads those that were not used for longest.
import { InferenceError } from '../../lib/index.js';
import { labelOf } from '../shelf.js';
import { publish } from './publish.js';
import type { Entry, Room, RoomLimits, State } from './state.js';

/** What a model needs. */
export interface Need {
  readonly name: string;
  readonly version?: string | undefined;
  /** Of all its files. */
  readonly sizeBytes: number;
}

/** A model is read from its file and then copied, so that for a moment there are two of it. */
const copies = 2;

/**
 * Takes room for a model that is about to be loaded; others who ask wait for that. A model that is unloaded for it
 * first answers the requests that it has.
 * @returns  gives the room back, when the model is loaded and counts by itself, or was not loaded. To be called once.
 * @throws   INFER_OUT_OF_MEMORY when it does not fit.
 */
export function takeRoom(state: State, need: Need): Promise<() => void> {
  const { room } = state;
  return room.line('', async () => {
    for (let lack = lackOf(state, need); lack !== undefined; lack = lackOf(state, need)) {
      if (!mayUnload(room.limits) || isTooLarge(room.limits, need)) throw outOfMemory(need, lack);
      const victim = await chooseVictim(state);
      if (victim !== undefined) await evict(state, victim);
      else if (room.models > 0 || isChanging(state)) await nextChange(room);
      else throw outOfMemory(need, lack);
    }
    room.models++;
    room.bytes += need.sizeBytes;
    return () => {
      room.models--;
      room.bytes -= need.sizeBytes;
      tellChange(room);
    };
  });
}

function mayUnload({ maxModels, maxBytes }: RoomLimits): boolean {
  return maxModels > 0 || maxBytes > 0;
}

function isTooLarge({ maxBytes, memory }: RoomLimits, { sizeBytes }: Need): boolean {
  return (maxBytes > 0 && sizeBytes > maxBytes) || sizeBytes * copies > memory.limitBytes;
}

/** What there is too little of, in words; undefined when the model fits. */
function lackOf(state: State, { sizeBytes }: Need): string | undefined {
  const { limits, models, bytes } = state.room;
  const { maxModels, maxBytes, memory } = limits;
  const loaded = entriesOf(state).filter(({ running }) => running !== undefined);
  if (maxModels > 0 && loaded.length + models >= maxModels) {
    return `room for it among ${maxModels} (maxLoadedModels)`;
  }
  const loadedBytes = loaded.reduce((sum, entry) => sum + entry.sizeBytes, bytes);
  if (maxBytes > 0 && loadedBytes + sizeBytes > maxBytes) {
    return `${sizeBytes} bytes of files to fit into ${maxBytes} (maxLoadedBytes), of which ${loadedBytes} are taken`;
  }
  const wantedBytes = (bytes + sizeBytes) * copies;
  const leftBytes = memory.leftBytes();
  if (wantedBytes <= leftBytes || sizeBytes === 0) return undefined;
  const left = Math.max(0, Math.floor(leftBytes));
  return `${wantedBytes} bytes of memory to load it, but ${left} are left (memoryBudgetBytes ${memory.limitBytes}, or the limit of the address space)`;
}

function outOfMemory({ name, version }: Need, lack: string): InferenceError {
  const label = labelOf(name, version);
  return new InferenceError('INFER_OUT_OF_MEMORY', `model ${label}: expected ${lack}`);
}

function entriesOf({ names }: State): Entry[] {
  return [...names.values()].flatMap(({ versions }) => [...versions.values()]);
}

/** Whether one that is loaded may go, or become free to be unloaded, by what goes on. */
function isChanging(state: State): boolean {
  return entriesOf(state).some(({ running, changes }) => running !== undefined && changes > 0);
}

function nextChange(room: Room): Promise<void> {
  return new Promise(resolve => room.waiting.push(resolve));
}

export function tellChange(room: Room): void {
  for (const resolve of room.waiting.splice(0)) resolve();
}

/** Of those that nobody changes, an idle one rather than a busy one, and then the one whose last request is longest ago. */
async function chooseVictim(state: State): Promise<Entry | undefined> {
  const uses = await state.shelves.uses();
  const candidates = entriesOf(state).flatMap(entry => {
    const { running, changes, ending } = entry;
    if (running === undefined || changes > 0 || ending !== undefined) return [];
    const { holds = 0, lastMs = 0 } = uses.get(running.id) ?? {};
    return [{ entry, isBusy: holds > 0, lastMs }];
  });
  candidates.sort((a, b) => Number(a.isBusy) - Number(b.isBusy) || a.lastMs - b.lastMs);
  return candidates[0]?.entry;
}

/** How often is looked whether requests of a model that has to go have ended; they may take as long as they do. */
const lookMs = 60_000;

/** Requests that come from now on wait until it is loaded again; those that found it are answered first. */
async function evict(state: State, entry: Entry): Promise<void> {
  const { running } = entry;
  if (running === undefined) return;
  entry.ending = 'evicted';
  const gone = (async () => {
    await publish(state, entry.name);
    while (!(await state.shelves.quiet(running.id, lookMs)));
    await state.shelves.unload(running.id);
  })();
  entry.evicting = gone.catch(() => {}); // told to whoever wants the room
  try {
    await gone;
  } finally {
    entry.running = undefined;
    entry.ending = undefined;
    entry.evicting = undefined;
    entry.isEvicted = true;
  }
}
