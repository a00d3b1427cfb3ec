// SPDX-License-Identifier: Apache-2.0
// Runs a request with the model that it names, also with one that has to be loaded again for it.
import type { ServerContext } from './route.js';
import type { Missing, Served } from './shelf.js';

/** The version is the default one when left out. */
export interface Wanted {
  readonly name: string;
  readonly version?: string | undefined;
}

/**
 * @param run      the model stays loaded until it is over, where it was loaded for this request; else `run` holds it.
 * @param missing  what a protocol says where there is nothing to run.
 */
export function withServed<T>(
  server: Pick<ServerContext, 'find' | 'await'>,
  { name, version }: Wanted,
  run: (served: Served) => T | Promise<T>,
  missing: (why: Missing) => Error,
): T | Promise<T> {
  const found = server.find(name, version);
  if (typeof found === 'object') return run(found);
  if (found !== 'evicted') throw missing(found);
  return server.await(name, version).then(async served => {
    try {
      return await run(served);
    } finally {
      served.release();
    }
  });
}
