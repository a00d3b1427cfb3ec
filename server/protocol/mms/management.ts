// SPDX-License-Identifier: Apache-2.0
// The management API of MMS: registers, scales, replaces and removes models. Workers are lanes here.
import { InferenceError, type LoadOptions } from '../../../lib/index.js';
import { mostWorkers } from '../../config.js';
import { downloadFailed } from '../../packages/index.js';
import { redact } from '../../redact.js';
import type { Registry, Workers } from '../../registry/index.js';
import { jsonReply } from '../../reply.js';
import type { HttpReply, HttpRequest, Route, ServerContext } from '../../route.js';
import { refusal } from './errors.js';
import { modelNotFound, requireKnown, shown } from './known.js';
import { describeModel, listModels } from './models.js';
import { jsonParameters, type Parameters, queryParameters } from './parameters.js';
import { trafficRoutes } from './traffic.js';

const listener = 'management';

export function managementRoutes(server: ServerContext): Route[] {
  const { registry } = server;
  const model = '/models/{model}';
  const version = `${model}/{version}`;
  return [
    {
      listener,
      method: 'GET',
      path: '/models',
      handle: ({ query }) => jsonReply(200, listModels(defaults(registry), query)),
    },
    { listener, method: 'POST', path: '/models', handle: request => register(server, request) },
    { listener, method: 'GET', path: model, handle: (_, [name = '']) => describe(registry, name) },
    {
      listener,
      method: 'PUT',
      path: model,
      handle: ({ query }, [name = '']) => scale(server, { name, query }),
    },
    {
      listener,
      method: 'DELETE',
      path: model,
      handle: (_, [name = '']) => unregister(server, { name }),
    },
    ...trafficRoutes(server),
    {
      listener,
      method: 'GET',
      path: version,
      handle: (_, [name = '', of]) => describe(registry, name, of),
    },
    {
      listener,
      method: 'PUT',
      path: version,
      handle: ({ query }, [name = '', of]) => scale(server, { name, version: of, query }),
    },
    {
      listener,
      method: 'DELETE',
      path: version,
      handle: (_, [name = '', of]) => unregister(server, { name, version: of }),
    },
    {
      listener,
      method: 'PUT',
      path: `${version}/set-default`,
      handle: (_, [name = '', of = '']) => setDefault(registry, name, of),
    },
  ];
}

function status(code: number, text: string): HttpReply {
  return jsonReply(code, { status: text });
}

/** The list of MMS has each name once. */
function defaults(registry: Registry) {
  const seen = new Set<string>();
  return registry.list().filter(({ name }) => !seen.has(name) && seen.add(name));
}

function describe(registry: Registry, name: string, version?: string): HttpReply {
  if (version === 'all') return jsonReply(200, requireKnown(registry, name).map(describeModel));
  const known = requireKnown(registry, name, version);
  const found = known.find(own => version === undefined || own.version === version);
  return jsonReply(200, found === undefined ? {} : describeModel(found));
}

const runtimes = ['python', 'python2', 'python3'];

async function register(server: ServerContext, request: HttpRequest): Promise<HttpReply> {
  const isJson = /^application\/json\b/i.test(request.contentType);
  const given = isJson ? jsonParameters(request.body) : queryParameters(request.query);
  const url = given.text('url');
  if (url === undefined || url === '')
    throw refusal(400, 'BadRequestException', 'Parameter url is required.');
  const runtime = given.text('runtime');
  if (runtime !== undefined && !runtimes.includes(runtime.toLowerCase())) {
    throw refusal(400, 'BadRequestException', `Invalid RuntimeType value: ${shown(runtime)}`);
  }
  const name = given.text('model_name');
  const version = given.text('model_version');
  const workers = Math.max(0, workersOf(given, 'initial_workers') ?? server.config.defaultWorkers);
  const options = optionsOf(given, isJson ? 1000 : 60_000);
  const { loaded } = await named(() =>
    server.registry.register({ url, name, version, workers, options }),
  ).catch(error => {
    logDownload(server, { model: name, path: redact(url) }, error);
    throw error;
  });
  if (given.flag('synchronous') === false && workers > 0) {
    loaded.catch(error =>
      server.log.error({ event: 'model_failed', model: name, path: redact(url), err: error }),
    );
    return status(202, 'Processing worker updates...');
  }
  const done = await named(() => loaded);
  return status(
    200,
    workers > 0 ? 'Workers scaled' : `Model ${JSON.stringify(done.name)} registered`,
  );
}

/** @throws  a refusal when it is more than are ever described one by one. */
function workersOf(given: Parameters, name: string): number | undefined {
  const workers = given.integer(name);
  if (workers === undefined || workers <= mostWorkers) return workers;
  const message = `${name}: expected at most ${mostWorkers}, got ${workers}`;
  throw refusal(400, 'BadRequestException', message);
}

/** The client is not told why, as that would tell what else there is in the network of the server. */
function logDownload({ log }: ServerContext, model: object, error: unknown): void {
  if (!(error instanceof InferenceError) || error.detail !== downloadFailed) return;
  log.warn({ event: 'model_failed', ...model, err: error });
}

/** @param unitMs  of response_timeout: minutes in a query, seconds in JSON, as in MMS. */
function optionsOf(given: Parameters, unitMs: number): LoadOptions {
  const batch = given.integer('batch_size');
  const delayMs = given.integer('max_batch_delay');
  const timeout = given.integer('response_timeout');
  return {
    batching: {
      ...(batch === undefined || batch < 1 ? {} : { maxBatch: batch }),
      ...(delayMs === undefined || delayMs < 0 ? {} : { maxDelayUs: delayMs * 1000 }),
    },
    ...(timeout === undefined || timeout < 1 ? {} : { limits: { timeoutMs: timeout * unitMs } }),
  };
}

/** Says in the words of MMS that a name is taken. */
async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof InferenceError) || error.code !== 'INFER_MODEL_EXISTS') throw error;
    const [, label = ''] = /^model "(.*)": /.exec(error.message) ?? [];
    throw new InferenceError(
      'INFER_MODEL_EXISTS',
      `Model ${label.replace(/\/[^/]*$/, '')} is already registered.`,
    );
  }
}

interface Target {
  readonly name: string;
  readonly version?: string | undefined;
}

async function scale(
  server: ServerContext,
  { name, version, query }: Target & { query: string },
): Promise<HttpReply> {
  const given = queryParameters(query);
  const min = workersOf(given, 'min_worker') ?? 1;
  const max = workersOf(given, 'max_worker') ?? min;
  if (min < 0)
    throw refusal(400, 'BadRequestException', `min_worker: expected 0 or more, got ${min}`);
  if (max < min) {
    throw refusal(400, 'BadRequestException', 'max_worker cannot be less than min_worker.');
  }
  requireKnown(server.registry, name, version);
  const to: Workers = { min, max };
  const scaled = inTime(name, () =>
    server.registry.scale(name, version, to, server.config.unregisterTimeoutMs),
  );
  if (given.flag('synchronous') !== true) {
    scaled.catch(error =>
      server.log.error({ event: 'scale_failed', model: name, version, ...to, err: error }),
    );
    return status(202, 'Processing worker updates...');
  }
  await scaled;
  return status(200, 'Workers scaled');
}

async function unregister(server: ServerContext, { name, version }: Target): Promise<HttpReply> {
  const known = requireKnown(server.registry, name, version);
  const isDefault = version === undefined || version === known[0]?.version;
  if (isDefault && known.length > 1) {
    throw refusal(
      403,
      'InvalidModelVersionException',
      `Cannot remove default version for model ${name}`,
    );
  }
  await inTime(name, () =>
    server.registry.unregister(name, version, server.config.unregisterTimeoutMs),
  );
  return status(200, `Model ${JSON.stringify(name)} unregistered`);
}

/** Says in the words of MMS that requests of the model did not finish. */
async function inTime(name: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof InferenceError) || error.code !== 'INFER_DEADLINE') throw error;
    const message = `Timed out while cleaning resources: ${name}`;
    throw refusal(408, 'RequestTimeoutException', message);
  }
}

async function setDefault(registry: Registry, name: string, version: string): Promise<HttpReply> {
  const known = registry.versions(name);
  if (known.length === 0) throw modelNotFound(name);
  if (!known.some(own => own.version === version)) {
    const message = `Model version ${shown(version)} does not exist for model ${shown(name)}`;
    throw refusal(404, 'ModelVersionNotFoundException', message);
  }
  await registry.setDefault(name, version);
  const text = `Default version successfully updated for model ${JSON.stringify(name)} to ${JSON.stringify(version)}`;
  return status(200, text);
}
