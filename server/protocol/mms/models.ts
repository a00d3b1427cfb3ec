// SPDX-License-Identifier: Apache-2.0
// What the management API tells about models, in the shapes of MMS.
import type { Served } from '../../models.js';

const mostModels = 100;

/**
 * One page of models, sorted by name.
 * @param query  `limit` (0 to 100, default 100) and `next_page_token` (default 0); other numbers count as the
 *               default, and what is no number as well.
 * @source       MMS management API: the token is there whenever a full page was given, even at the very end.
 */
export function listModels(served: readonly Served[], query: string): object {
  const options = new URLSearchParams(query);
  const limit = integerOf(options.get('limit'), mostModels);
  const size = limit < 0 || limit > mostModels ? mostModels : limit;
  const start = Math.max(0, integerOf(options.get('next_page_token'), 0));
  const models = served
    .slice(start, start + size)
    .map(({ name, path }) => ({ modelName: name, modelUrl: path }));
  const token = start + size <= served.length ? { nextPageToken: String(start + size) } : {};
  return { ...token, models };
}

function integerOf(text: string | null, otherwise: number): number {
  return text !== null && /^[+-]?\d{1,9}$/.test(text) ? Number(text) : otherwise;
}

/** A lane is what MMS calls a worker. Lanes share one process, so each reports the memory of all. */
export function describeModel({ name, path, loadedAt, loadedAtStartup, model }: Served): object {
  const { info } = model;
  const memoryUsage = process.memoryUsage.rss();
  return {
    modelName: name,
    modelVersion: info.version,
    modelUrl: path,
    engine: info.engine,
    runtime: 'native',
    minWorkers: info.lanes.length,
    maxWorkers: info.lanes.length,
    batchSize: info.batching.maxBatch,
    maxBatchDelay: info.batching.maxDelayUs / 1000,
    loadedAtStartup,
    workers: info.lanes.map(({ core }, index) => ({
      id: `lane-${index}${core === null ? '' : `-core-${core}`}`,
      startTime: loadedAt.toISOString(),
      status: 'READY',
      gpu: info.devices.some(device => !device.startsWith('cpu')),
      memoryUsage,
    })),
  };
}
