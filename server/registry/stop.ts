// SPDX-License-Identifier: Apache-2.0
// Takes a loaded model out of service, within a time limit.
import { InferenceError } from '../../lib/index.js';
import { labelOf } from '../shelf.js';
import { publish } from './publish.js';
import type { Ending, Entry, State } from './state.js';

/**
 * Leads no more requests to it, lets the accepted ones finish, and frees it. The caller says what it is then.
 * @throws  INFER_DEADLINE when they do not finish in `limitMs`: it is then as it was.
 */
export async function stop(
  state: State,
  entry: Entry,
  { ending, limitMs }: { ending: Ending; limitMs: number },
): Promise<void> {
  const { running, name, version } = entry;
  entry.isEvicted = false;
  if (running === undefined) return;
  entry.ending = ending;
  await publish(state, name);
  if (!(await state.shelves.quiet(running.id, limitMs))) {
    entry.ending = undefined;
    await publish(state, name);
    const label = labelOf(name, version);
    const message = `model ${label}: its requests did not finish within ${limitMs} ms`;
    throw new InferenceError('INFER_DEADLINE', message);
  }
  entry.running = undefined;
  await state.shelves.unload(running.id);
}

/** Whether `work` ends within the limit; else it goes on, and nobody waits for it. */
export async function isInTime(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>(resolve => {
    timer = setTimeout(() => resolve(false), limitMs);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
