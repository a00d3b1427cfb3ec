// SPDX-License-Identifier: Apache-2.0
// The Multi Model Server API: health, predictions, and what the management port tells about models.
import { scoresName, topClassesText } from '../../classes.js';
import type { Decoded } from '../../decode/index.js';
import { late } from '../../decode/turns.js';
import { jsonReply, textReply } from '../../reply.js';
import type {
  Handler,
  HttpReply,
  HttpRequest,
  Protocol,
  Route,
  ServerContext,
} from '../../route.js';
import type { Served } from '../../shelf.js';
import { errors } from './errors.js';
import { find, variantFor, variantHeader } from './lead.js';
import { managementRoutes } from './management.js';

const json = 'application/json';

/** The predictions route also takes tensors in the form of V2, and answers in kind. */
export const mms: Protocol = { name: 'mms', errors, routes: routesOf };

function routesOf(server: ServerContext): Route[] {
  const { maxResponseBytes } = server.config;
  const ask = (request: HttpRequest, name: string, version?: string) => {
    const served = find(server, name, version);
    return held(served, predict(server, { request, served, maxResponseBytes }));
  };
  const handle: Handler = (request, [name = '', version], fail) => {
    const variant = version === undefined ? variantFor(server, name, request) : undefined;
    if (variant === undefined) return ask(request, name, version);
    return told(variant.name, fail, () => ask(request, name, variant.version));
  };
  const path = '/predictions/{model}';
  return [
    { listener: 'inference', method: 'GET', path: '/ping', handle: () => ping(server) },
    { listener: 'inference', method: 'POST', path, handle },
    { listener: 'inference', method: 'POST', path: `${path}/{version}`, handle },
    ...managementRoutes(server),
  ];
}

/** Unlike MMS, which says 200 whatever happens, so that a load balancer learns it from the status. */
function ping({ isDraining }: ServerContext): HttpReply {
  if (isDraining()) return jsonReply(503, { status: 'Unhealthy' });
  return jsonReply(200, { status: 'Healthy' });
}

/** The client learns which variant it was, also of one that failed. */
async function told(
  variant: string,
  fail: Parameters<Handler>[2],
  ask: () => HttpReply | Promise<HttpReply>,
): Promise<HttpReply> {
  let reply: HttpReply;
  try {
    reply = await ask();
  } catch (error) {
    reply = fail(error);
  }
  return { ...reply, headers: { ...reply.headers, [variantHeader]: variant } };
}

/** The model stays loaded until it has answered, whoever unregisters it meanwhile. */
function held(
  served: Served,
  reply: HttpReply | Promise<HttpReply>,
): HttpReply | Promise<HttpReply> {
  if (!(reply instanceof Promise)) return reply;
  served.hold();
  return reply.finally(served.release);
}

interface Prediction {
  readonly request: HttpRequest;
  readonly served: Served;
  readonly maxResponseBytes: number;
}

function predict(server: ServerContext, prediction: Prediction): HttpReply | Promise<HttpReply> {
  const { request, served } = prediction;
  const decoded = server.decode(request, served.model.info);
  if (decoded instanceof Promise) return decoded.then(value => run(value, prediction));
  return run(decoded, prediction);
}

function run(decoded: Decoded, prediction: Prediction): HttpReply | Promise<HttpReply> {
  if (decoded.kind === 'unsupported') return errors.fromStatus(415, decoded.message);
  if (decoded.kind === 'tensors') return classify(decoded, prediction);
  return answerInKind(decoded, prediction);
}

/** Awaits rather than chains: the one hot path of the server. */
async function answerInKind(
  { bytes }: Extract<Decoded, { kind: 'json' }>,
  { request, served, maxResponseBytes }: Prediction,
): Promise<HttpReply> {
  const { signal, asksForTiming } = request;
  const options = { signal, maxResponseBytes, timing: asksForTiming };
  // The body keeps its share of maxBufferedBytes until then: nothing else counts a large one before it is read.
  const { body, timing } = await served.model.predictJson(bytes, options);
  const reply = textReply(json, body);
  return timing === undefined ? reply : { ...reply, timing };
}

async function classify(
  { tensors, endsMs }: Extract<Decoded, { kind: 'tensors' }>,
  { request, served }: Prediction,
): Promise<HttpReply> {
  const { model } = served;
  request.releaseBody(); // it is tensors now
  const leftMs = endsMs - performance.now();
  if (leftMs <= 0) throw late();
  const timeout = leftMs < Number.POSITIVE_INFINITY ? { timeoutMs: leftMs } : {};
  const outputs = await model.predict(tensors, { signal: request.signal, ...timeout });
  const name = scoresName(model.info);
  const scores = outputs[name];
  if (scores === undefined) throw new Error(`output ${name}: missing in the answer`);
  return textReply(json, topClassesText(scores, model.info.postprocess?.[name]));
}
