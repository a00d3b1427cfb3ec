// SPDX-License-Identifier: Apache-2.0
// Lets changes of the same thing wait for each other; those of different things go side by side.

/** Runs `work` when all earlier work of the same key has ended, however it ended. */
export type Line = <T>(key: string, work: () => Promise<T>) => Promise<T>;

export function createLine(): Line {
  const last = new Map<string, Promise<unknown>>();
  return (key, work) => {
    const before = last.get(key) ?? Promise.resolve();
    const own = before.then(work, work);
    last.set(key, own);
    const forget = () => {
      if (last.get(key) === own) last.delete(key);
    };
    own.then(forget, forget);
    return own;
  };
}
