// SPDX-License-Identifier: Apache-2.0
// Requests in flight by their ids: as a Map, but for the price of one. A Map that a lone request enters and leaves
// rehashes itself each time, which costs more than a tenth of what predict() adds to a micro model.

/** What is in flight; made by inFlight(). Ids are integers, each used once. */
export interface InFlight<T> {
  /** An id for set(), which may follow or not. */
  nextId(): number;
  /** @param id  of a nextId(), once. */
  set(id: number, value: T): void;
  /** undefined for an id that is not, or no longer, in flight. */
  get(id: number): T | undefined;
  /** The same, and it is in flight no longer. */
  take(id: number): T | undefined;
}

interface Slot<T> {
  readonly id: number;
  readonly value: T;
}

/** @param slots  to begin with, a power of two; at most half of them are used before there are twice as many. */
export function inFlight<T>(slots = 64): InFlight<T> {
  let table: (Slot<T> | undefined)[] = new Array(slots).fill(undefined);
  let used = 0;
  let next = 1;
  // Ids beyond 32 bits keep their place: only the lowest bits of an integer count here.
  const placeOf = (id: number) => id & (table.length - 1);
  const grow = () => {
    const before = table;
    table = new Array(2 * before.length).fill(undefined);
    for (const slot of before) {
      if (slot !== undefined) table[placeOf(slot.id)] = slot; // two that did not meet do not meet here
    }
  };
  const find = (id: number) => {
    const slot = table[placeOf(id)];
    return slot?.id === id ? slot : undefined;
  };
  return {
    nextId() {
      while (table[placeOf(next)] !== undefined) next++;
      return next++;
    },
    set(id, value) {
      while (table[placeOf(id)] !== undefined) grow(); // taken since nextId()
      table[placeOf(id)] = { id, value };
      if (++used * 2 > table.length) grow();
    },
    get: id => find(id)?.value,
    take(id) {
      const slot = find(id);
      if (slot === undefined) return undefined;
      table[placeOf(id)] = undefined;
      used--;
      return slot.value;
    },
  };
}
