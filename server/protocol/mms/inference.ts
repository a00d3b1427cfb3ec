// SPDX-License-Identifier: Apache-2.0
// The inference API of MMS, with what TorchServe adds to it. All predictions go one way; their routes differ in where the
// name of the model comes from, and in whether the query string is input.
import { readQuery } from '../../decode/fields.js';
import type { Given } from '../../decode/index.js';
import { jsonReply } from '../../reply.js';
import type { Handler, HttpReply, HttpRequest, Route, ServerContext } from '../../route.js';
import { errors } from './errors.js';
import { variantFor, variantHeader, withModel } from './lead.js';
import { wrapped } from './legacy.js';
import { readName } from './names.js';
import { predict } from './predict.js';
import { checkTarget } from './target.js';

type Fail = Parameters<Handler>[2];

interface Call {
  readonly request: HttpRequest;
  readonly name: string;
  readonly version?: string | undefined;
  readonly given: Given;
}

const listener = 'inference';

function any(path: string, handle: Handler): Route {
  return { listener, method: 'ANY', path, handle };
}

/** Where two of them fit, the first counts: a model named `predict` is behind `/predictions/`, not one named `predictions`. */
export function inferenceRoutes(server: ServerContext): Route[] {
  const { profile } = server.config;
  const health = healthOf(server);
  const byName: Handler = (request, [name = '', version], fail) =>
    ask(server, { request, name, version, given: none }, fail);
  const withQuery: Handler = (request, [name = '', version], fail) =>
    ask(server, { request, name, version, given: queryOf(request) }, fail);
  const invocations: Handler = (request, _, fail) => {
    const found = readName(server, request);
    return found instanceof Promise
      ? found.then(named => ask(server, { request, ...named }, fail))
      : ask(server, { request, ...found }, fail);
  };
  const explanations: Handler = (_, [name = '', version]) =>
    withModel(server, { name, version }, () => errors.fromStatus(501, ''));
  return [
    { ...any('/ping/*', health), isOpen: true },
    ...(profile === 'mms-0.x' ? [{ ...any('/', health), method: 'GET' } as const] : []),
    any('/predictions/{model}', byName),
    any('/predictions/{model}/{version}/*', byName),
    any('/invocations', invocations),
    any('/models/{model}/invoke', withQuery),
    any('/explanations/{model}', explanations),
    any('/explanations/{model}/{version}/*', explanations),
    any('/{model}/predict', profile === 'mms-0.x' ? legacy(withQuery) : withQuery),
    ...(profile === 'torchserve' ? [any('/{model}/{version}/predict', withQuery)] : []),
  ];
}

const none: Given = {};

function queryOf({ query }: HttpRequest): Given {
  return query === '' ? none : { query: readQuery(query) };
}

/** Unlike MMS, which says 200 whatever happens, so that a load balancer learns it from the status. */
function healthOf({ config, isReady }: ServerContext): Handler {
  const isLegacy = config.profile === 'mms-0.x';
  const unhealthy = config.profile === 'torchserve' ? 500 : 503;
  return () => {
    const isHealthy = isReady();
    const legacyText = { health: isHealthy ? 'healthy!' : 'unhealthy!' };
    const text = { status: isHealthy ? 'Healthy' : 'Unhealthy' };
    return jsonReply(isHealthy ? 200 : unhealthy, isLegacy ? legacyText : text);
  };
}

function ask(
  server: ServerContext,
  { request, name, version, given }: Call,
  fail: Fail,
): HttpReply | Promise<HttpReply> {
  checkTarget(server, name, request);
  const variant = version === undefined ? variantFor(server, name, request) : undefined;
  const run = (chosen: string | undefined) =>
    withModel(server, { name, version: chosen }, served =>
      predict(server, { request, served, given, config: server.config }),
    );
  return variant === undefined
    ? run(version)
    : told(variant.name, fail, () => run(variant.version));
}

/** The client learns which variant it was, also of one that failed. */
async function told(
  variant: string,
  fail: Fail,
  run: () => HttpReply | Promise<HttpReply>,
): Promise<HttpReply> {
  let reply: HttpReply;
  try {
    reply = await run();
  } catch (error) {
    reply = fail(error);
  }
  return { ...reply, headers: { ...reply.headers, [variantHeader]: variant } };
}

function legacy(handle: Handler): Handler {
  return async (...call) => wrapped(await handle(...call));
}
