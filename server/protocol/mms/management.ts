// SPDX-License-Identifier: Apache-2.0
// The management API of MMS: registers, scales, replaces and removes models. Workers are lanes here.
import { basename } from 'node:path';
import { InferenceError, type LoadOptions } from '../../../lib/index.js';
import { mostWorkers } from '../../config.js';
import { downloadFailed } from '../../packages/index.js';
import { isRemote } from '../../packages/url.js';
import { redact } from '../../redact.js';
import type { Registry, Workers } from '../../registry/index.js';
import { jsonReply } from '../../reply.js';
import type { HttpReply, HttpRequest, Route, ServerContext } from '../../route.js';
import { managementDescription } from './descriptors.js';
import { refusal } from './errors.js';
import { modelNotFound, requireKnown, shown } from './known.js';
import { describeForTorchServe, describeModel, listModels } from './models.js';
import { jsonParameters, type Parameters, queryParameters } from './parameters.js';
import { type Profile, profileOf } from './profile.js';
import { checkTarget, targetOf } from './target.js';
import { trafficRoutes } from './traffic.js';

const listener = 'management';

export function managementRoutes(server: ServerContext): Route[] {
  const { registry } = server;
  const { isTorchServe } = profileOf(server.config);
  const model = '/models/{model}';
  const version = `${model}/{version}`;
  return [
    {
      listener,
      method: 'GET',
      path: '/models',
      handle: ({ query }) => jsonReply(200, listOf(server, query)),
    },
    { listener, method: 'POST', path: '/models', handle: request => register(server, request) },
    { listener, method: 'GET', path: model, handle: (_, [name = '']) => describe(server, name) },
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
      handle: (request, [name = '']) => {
        checkTarget(server, name, request);
        return unregister(server, { name });
      },
    },
    ...trafficRoutes(server),
    {
      listener,
      method: 'GET',
      path: version,
      handle: (_, [name = '', of]) => describe(server, name, of),
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
    ...(isTorchServe ? [optionsRoute(registry, model)] : []),
  ];
}

function optionsRoute(registry: Registry, path: string): Route {
  const handle: Route['handle'] = (_, [name = '']) => {
    requireKnown(registry, name);
    return jsonReply(200, managementDescription(name));
  };
  return { listener, method: 'OPTIONS', path, handle };
}

function status(code: number, text: string): HttpReply {
  return jsonReply(code, { status: text });
}

/** The list of MMS has each name once. */
function defaults(registry: Registry) {
  const seen = new Set<string>();
  return registry.list().filter(({ name }) => !seen.has(name) && seen.add(name));
}

/** SageMaker is told of models that can be used now. */
function listOf({ registry, config }: ServerContext, query: string): object {
  const isMulti = config.sageMaker === 'multi';
  const known = defaults(registry);
  const listed = isMulti ? known.filter(({ model }) => model !== undefined) : known;
  return listModels(listed, query, isMulti);
}

function describe({ registry, config }: ServerContext, name: string, version?: string): HttpReply {
  const { isTorchServe } = profileOf(config);
  const shape = isTorchServe ? describeForTorchServe : describeModel;
  if (version === 'all') return jsonReply(200, requireKnown(registry, name).map(shape));
  const known = requireKnown(registry, name, version);
  const found = known.filter(own => version === undefined || own.version === version);
  const [first = {}] = found.map(shape);
  return jsonReply(200, isTorchServe ? [first] : first);
}

async function register(server: ServerContext, request: HttpRequest): Promise<HttpReply> {
  const isJson = /^application\/json\b/i.test(request.contentType);
  const given = isJson ? jsonParameters(request.body) : queryParameters(request.query);
  const profile = profileOf(server.config);
  const url = given.text('url') ?? given.text('model_url'); // the name that descriptors have for it
  if (url === '' && profile.isTorchServe) throw refusal(404, 'ModelNotFoundException', 'empty url');
  if (url === undefined || url === '')
    throw refusal(400, 'BadRequestException', 'Parameter url is required.');
  const runtime = given.text('runtime');
  if (runtime !== undefined && !profile.runtimes.includes(runtime.toLowerCase())) {
    throw refusal(400, 'BadRequestException', `Invalid RuntimeType value: ${shown(runtime)}`);
  }
  const name = given.text('model_name');
  if (server.config.sageMaker === 'multi' && (name === undefined || name === '')) {
    throw refusal(400, 'BadRequestException', 'Parameter model_name is required.');
  }
  const target = targetOf(request) || undefined;
  const version = given.text('model_version');
  const workers = Math.max(0, workersOf(given, 'initial_workers') ?? server.config.defaultWorkers);
  const options = optionsOf(given, isJson ? 1000 : profile.timeoutUnitMs);
  if (profile.isTorchServe) refuseAsTorchServe(server, { given, url, workers });
  const logged = (error: unknown) => {
    logDownload(server, { model: name, path: redact(url) }, error);
    throw error;
  };
  const { loaded } = await inWords(profile, () =>
    server.registry
      .register({ url, name, version, workers, options, ...(target && { target }) })
      .catch(logged),
  );
  if (given.flag('synchronous') === false && workers > 0) {
    loaded.catch(error =>
      server.log.error({ event: 'model_failed', model: name, path: redact(url), err: error }),
    );
    return status(202, 'Processing worker updates...');
  }
  const done = await inWords(profile, () => loaded);
  return status(200, profile.registered({ name: done.name, version: done.version, workers }));
}

interface Wanted {
  readonly given: Parameters;
  readonly url: string;
  readonly workers: number;
}

/** @source  TorchServe: no time to start in, and a file that it has in its store already, are both failures of the server. */
function refuseAsTorchServe({ registry }: ServerContext, { given, url, workers }: Wanted): void {
  const fail = (text: string) => refusal(500, 'InternalServerException', text);
  if (workers > 0 && given.integer('startup_timeout') === 0) {
    const model = given.text('model_name') ?? redact(url);
    const version = given.text('model_version') ?? 'null';
    throw fail(`Failed to start workers for model ${shown(model)} version: ${shown(version)}`);
  }
  if (isRemote(url) && registry.list().some(own => own.url === url)) {
    throw fail(`Model file already exists ${basename(redact(url))}`);
  }
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

/** Says in the words of MMS, or of TorchServe, that a name is taken or a model is not there. */
async function inWords<T>(profile: Profile, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof InferenceError)) throw error;
    const { code, message } = error;
    if (code === 'INFER_MODEL_EXISTS') {
      const [, name = '', version = ''] = /^model "(.*)\/([^/]*)": /.exec(message) ?? [];
      throw new InferenceError('INFER_MODEL_EXISTS', profile.exists(name, version));
    }
    const words = profile.words.find(({ pattern }) => pattern.test(message));
    if (words === undefined) throw error;
    throw refusal(words.status, words.type, message.replace(words.pattern, words.text));
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
  const profile = profileOf(server.config);
  const min = workersOf(given, 'min_worker') ?? 1;
  const max = workersOf(given, 'max_worker') ?? min;
  if (min < 0) {
    const message = `min_worker: expected 0 or more, got ${min}`;
    if (profile.isTorchServe) throw refusal(500, 'InternalServerException', message);
    throw refusal(400, 'BadRequestException', message);
  }
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
  return status(200, profile.scaled({ name, version, workers: min }));
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
