// SPDX-License-Identifier: Apache-2.0
// Fetches a few models at a time, and none any more when the server ends.
import { InferenceError } from '../../lib/index.js';
import { type DownloadRules, download } from './download.js';

export interface Fetching {
  /** download(), when it is its turn, first come, first served. */
  readonly fetch: (location: string, directory: string) => Promise<string>;
  /** Ends what is under way or waits, with INFER_CLOSED; nothing begins any more. */
  readonly stop: () => void;
}

/** Who may register models may make the server fetch; more at a time would hold its disk and its network. */
const mostAtOnce = 2;

export function createFetching(rules: Omit<DownloadRules, 'ending'>): Fetching {
  const controller = new AbortController();
  const waiting: (() => void)[] = [];
  let running = 0;
  const turn = async () => {
    if (running >= mostAtOnce) await new Promise<void>(resolve => waiting.push(resolve));
    else running++;
  };
  const leave = () => {
    const next = waiting.shift(); // takes over the place
    if (next === undefined) running--;
    else next();
  };
  const stop = () =>
    controller.abort(
      new InferenceError('INFER_CLOSED', 'the server ends, and fetches no models any more'),
    );
  const fetch: Fetching['fetch'] = async (location, directory) => {
    await turn();
    try {
      return await download(location, directory, { ...rules, ending: controller.signal });
    } finally {
      leave();
    }
  };
  return { fetch, stop };
}
