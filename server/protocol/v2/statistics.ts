// SPDX-License-Identifier: Apache-2.0
// The statistics extension: what each model has done, as Triton counts it.
import type { Handler, HttpReply, Route, ServerContext } from '../../route.js';
import { jsonReply, refusal } from './errors.js';
import { isReady, type Ready } from './models.js';

const listener = 'inference';

export function statisticsRoutes({ registry }: ServerContext): Route[] {
  const path = '/v2/models/{model}';
  const all: Handler = () => replyOf(registry.list().filter(isReady));
  const ofModel: Handler = (_, [name = '', version]) => {
    const known = registry.versions(name);
    if (known.length === 0)
      throw refusal(400, `requested model '${name.slice(0, 128)}' is not available`);
    const wanted = known.filter(own => version === undefined || own.version === version);
    if (!wanted.some(isReady)) {
      throw refusal(400, `requested model version is not available for model '${name}'`);
    }
    return replyOf(wanted.filter(isReady));
  };
  const rows: readonly (readonly [string, Handler])[] = [
    ['/v2/models/stats', all],
    [`${path}/stats`, ofModel],
    [`${path}/versions/{version}/stats`, ofModel],
  ];
  return rows.map(([row, handle]) => ({
    listener,
    onMain: true,
    method: 'GET',
    path: row,
    handle,
  }));
}

function replyOf(models: readonly Ready[]): HttpReply {
  return jsonReply(200, { model_stats: models.map(statisticsOf) });
}

interface Total {
  readonly count: number;
  readonly seconds: number;
}

/** Whole nanoseconds, which is all that the clients' integers hold. */
function duration({ count, seconds }: Total): object {
  return { count, ns: Math.round(seconds * 1e9) };
}

/**
 * @source  Triton's statistics extension: times are sums over requests, of which each adds the whole run that it was
 *          in; those of batches are of each run. Making tensors of bytes is its input, making bytes of tensors its output.
 */
function statisticsOf({ name, version, model }: Ready): object {
  const { completed, errors, batches, rows, answered, runsByRows, lastRunAtMs } = model.stats();
  const { totalSeconds, queueSeconds, parseSeconds, runSeconds, formatSeconds } = answered;
  const failed = Object.values(errors).reduce((sum, count) => sum + count, 0);
  const each = (seconds: number) => duration({ count: completed, seconds });
  const none = duration({ count: 0, seconds: 0 });
  return {
    name,
    version,
    last_inference: lastRunAtMs,
    inference_count: rows,
    execution_count: batches,
    inference_stats: {
      success: each(totalSeconds),
      fail: duration({ count: failed, seconds: 0 }),
      queue: each(queueSeconds),
      compute_input: each(parseSeconds),
      compute_infer: each(runSeconds),
      compute_output: each(formatSeconds),
      cache_hit: none,
      cache_miss: none,
    },
    response_stats: {},
    batch_stats: runsByRows.map(({ rows: size, runs, seconds }) => ({
      batch_size: size,
      compute_input: duration({ count: runs, seconds: 0 }),
      compute_infer: duration({ count: runs, seconds }),
      compute_output: duration({ count: runs, seconds: 0 }),
    })),
    memory_usage: [],
  };
}
