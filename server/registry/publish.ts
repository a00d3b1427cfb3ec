// SPDX-License-Identifier: Apache-2.0
// Tells all HTTP threads where the requests of a name are led.
import type { DirectoryEntry, Place } from '../shelf.js';
import type { Entry, Name, State } from './state.js';

/** Resolves when every thread goes by it. */
export function publish({ names, shelves }: State, name: string): Promise<void> {
  const known = names.get(name);
  return shelves.publish(name, known && seenOf(known));
}

/** Undefined when requests are to find nothing. */
function seenOf({ defaultVersion, versions, traffic, target }: Name): DirectoryEntry | undefined {
  const seen = [...versions.values()].filter(({ ending }) => ending !== 'unregistered');
  if (seen.length === 0) return undefined;
  const places = new Map(seen.map(entry => [entry.version, placeOf(entry)]));
  const isOfStart = seen.some(({ loadedAtStartup }) => loadedAtStartup);
  return { defaultVersion, versions: places, traffic, target, isOfStart };
}

function placeOf({ running, ending, isEvicted }: Entry): Place {
  if (isEvicted || ending === 'evicted') return 'evicted';
  return ending === undefined ? running?.id : undefined;
}
