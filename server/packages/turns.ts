// SPDX-License-Identifier: Apache-2.0
// Lets a few pieces of work go on at once, and the others wait for their turn.

/** Runs `work` when its turn has come, in the order of the calls. */
export type Turns = <T>(work: () => Promise<T>) => Promise<T>;

/** @param most  at once, 1 or more. */
export function createTurns(most: number): Turns {
  const waiting: (() => void)[] = [];
  let free = most;
  return async work => {
    if (free > 0) free--;
    else await new Promise<void>(resolve => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}
