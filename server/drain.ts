// SPDX-License-Identifier: Apache-2.0
// Decides when a server that takes no more connections has nothing left to do.

export interface Work {
  readonly requests: number;
  readonly connections: number;
}

export interface Drain {
  /** Resolves when all is done, or at the limit. */
  readonly done: Promise<void>;
  /** To be called whenever the work changed. */
  readonly look: () => void;
}

/**
 * Done is: no connection; or no request for `graceMs`, in which a client that is about to send learns from its
 * answer that the connection ends; or `limitMs` from now.
 */
export function createDrain(work: () => Work, limits: { graceMs: number; limitMs: number }): Drain {
  let grace: NodeJS.Timeout | undefined;
  let end = () => {};
  const done = new Promise<void>(resolve => {
    const limit = setTimeout(() => end(), limits.limitMs);
    end = () => {
      clearTimeout(limit);
      clearTimeout(grace);
      end = () => {};
      resolve();
    };
  });
  const look = () => {
    clearTimeout(grace);
    const { requests, connections } = work();
    if (requests > 0) return;
    if (connections === 0) end();
    else grace = setTimeout(() => end(), limits.graceMs);
  };
  look();
  return { done, look };
}
