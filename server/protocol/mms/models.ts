// SPDX-License-Identifier: Apache-2.0
// What the management API tells about models, in the shapes of MMS.
import type { Model } from '../../../lib/index.js';
import type { Registration } from '../../registry/index.js';
import { integerOf } from './parameters.js';

const mostModels = 100;

/**
 * One page of models, sorted by name.
 * @param isMulti  whether the rules of SageMaker's multi-model endpoints hold: a limit of 0 counts as the default,
 *               and the token is there only when more models are.
 * @param query  `limit` (0 to 100, default 100) and `next_page_token` (default 0); other numbers count as the
 *               default, and what is no number as well.
 * @source       MMS management API: the token is there whenever a full page was given, even at the very end.
 */
export function listModels(
  models: readonly Registration[],
  query: string,
  isMulti = false,
): object {
  const options = new URLSearchParams(query);
  const limit = integerOf(options.get('limit') ?? undefined) ?? mostModels;
  const least = isMulti ? 1 : 0;
  const size = limit < least || limit > mostModels ? mostModels : limit;
  const start = Math.max(0, integerOf(options.get('next_page_token') ?? undefined) ?? 0);
  const page = models
    .slice(start, start + size)
    .map(({ name, url }) => ({ modelName: name, modelUrl: url }));
  const isMore = start + size < models.length + (isMulti ? 0 : 1);
  const token = isMore ? { nextPageToken: String(start + size) } : {};
  return { ...token, models: page };
}

/**
 * A worker of MMS takes one batch at a time, as a lane does. More workers than lanes take turns on them; they share
 * one process, so each reports the memory of all.
 */
export function describeModel(registration: Registration) {
  const { name, version, url, loadedAtStartup, model, loadedAt, minWorkers, maxWorkers } =
    registration;
  const batching = model?.info.batching;
  return {
    modelName: name,
    modelVersion: version,
    modelUrl: url,
    engine: model?.info.engine,
    runtime: 'native',
    minWorkers,
    maxWorkers,
    batchSize: batching?.maxBatch,
    maxBatchDelay: batching === undefined ? undefined : batching.maxDelayUs / 1000,
    loadedAtStartup,
    workers: model === undefined ? [] : workersOf(model, minWorkers, loadedAt),
  };
}

/** What TorchServe tells beside it, where there is something like it here. */
export function describeForTorchServe(registration: Registration): object {
  const { loadedAtStartup, workers, ...rest } = describeModel(registration);
  const { model } = registration;
  const { limits, batching, devices = [] } = model?.info ?? {};
  const waiting = model?.stats().queueDepth ?? 0;
  return {
    ...rest,
    responseTimeout: limits?.timeoutMs === undefined ? undefined : limits.timeoutMs / 1000,
    parallelLevel: 1,
    deviceType: devices.some(device => !device.startsWith('cpu')) ? 'gpu' : 'cpu',
    continuousBatching: false,
    useJobTicket: false,
    useVenv: false,
    stateful: false,
    loadedAtStartup,
    workers: workers.map(worker => ({ ...worker, pid: process.pid, gpuUsage: 'N/A' })),
    jobQueueStatus: batching && {
      remainingCapacity: batching.maxQueue - waiting,
      pendingRequests: waiting,
    },
  };
}

function workersOf({ info }: Model, count: number, since = new Date()): object[] {
  const memoryUsage = process.memoryUsage.rss();
  const { lanes, devices } = info;
  return Array.from({ length: Math.max(count, lanes.length) }, (_, index) => {
    const core = lanes[index % lanes.length]?.core ?? null;
    return {
      id: `worker-${index}${core === null ? '' : `-core-${core}`}`,
      startTime: since.toISOString(),
      status: 'READY',
      gpu: devices.some(device => !device.startsWith('cpu')),
      memoryUsage,
    };
  });
}
