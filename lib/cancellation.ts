// SPDX-License-Identifier: Apache-2.0
// Ties AbortSignals to request ids: one listener per signal, however many requests share it.

interface Watched {
  readonly ids: Set<number>;
  readonly listener: () => void;
}

/** The signals of requests in flight, with the requests of each. */
export type WatchedSignals = WeakMap<AbortSignal, Watched>;

// A listener per request would be simpler, but Node warns of a leak from the eleventh on, and sharing
// one signal among all requests of a connection is the normal case.

/**
 * Calls `cancel` with the ids of all requests of the signal, together, when it is aborted.
 * @param signal  not aborted yet.
 * @param id      to be given to unwatch() when the request settles, aborted or not.
 * @throws        what the signal's addEventListener() throws; then nothing is watched.
 */
export function watch(
  watched: WatchedSignals,
  signal: AbortSignal,
  id: number,
  cancel: (ids: Iterable<number>) => void,
): void {
  let entry = watched.get(signal);
  if (entry === undefined) {
    const ids = new Set<number>();
    entry = { ids, listener: () => cancel(ids) };
    signal.addEventListener('abort', entry.listener, { once: true });
    watched.set(signal, entry);
  }
  entry.ids.add(id);
}

/** Forgets a request; the last one of a signal takes the listener away. */
export function unwatch(watched: WatchedSignals, signal: AbortSignal, id: number): void {
  const entry = watched.get(signal);
  if (entry === undefined) return;
  entry.ids.delete(id);
  if (entry.ids.size > 0) return;
  watched.delete(signal);
  signal.removeEventListener('abort', entry.listener);
}
