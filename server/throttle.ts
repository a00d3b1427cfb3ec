// SPDX-License-Identifier: Apache-2.0
// Lets one report of a kind through in a while, with the number of those held back since the one before.

export interface Throttle {
  /** @returns  undefined when it is to be held back; else how many were since the last that was not. */
  readonly pass: (kind: string) => number | undefined;
  /** All that are held back since the last of their kind, which is then forgotten. */
  readonly takeHeld: () => readonly { readonly kind: string; readonly held: number }[];
}

/** What a message says, without the numbers that differ from one request to the next. */
export function kindOf(message: string): string {
  return message.replace(/\d+/g, '#').slice(0, 120);
}

/** How often the same failure of the same model is logged; inputs of a client may cause it with every request. */
export const sameFailureMs = 10_000;

/** As many kinds are told apart; what clients can make up must not fill the memory. */
const maxKinds = 1000;

/** @param everyMs  how long after one report of a kind the next may come. */
export function createThrottle(everyMs: number): Throttle {
  const kinds = new Map<string, { lastMs: number; held: number }>();
  return {
    pass: kind => {
      const nowMs = performance.now();
      const known = kinds.get(kind);
      if (known !== undefined && nowMs - known.lastMs < everyMs) {
        known.held++;
        return undefined;
      }
      if (known === undefined && kinds.size >= maxKinds) kinds.clear();
      kinds.set(kind, { lastMs: nowMs, held: 0 });
      return known?.held ?? 0;
    },
    takeHeld: () => {
      const held = [...kinds].filter(([, kind]) => kind.held > 0);
      kinds.clear();
      return held.map(([kind, { held }]) => ({ kind, held }));
    },
  };
}
