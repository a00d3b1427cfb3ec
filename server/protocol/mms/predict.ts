// SPDX-License-Identifier: Apache-2.0
// A prediction from the body of a request to the reply: decode, run, write.
import { scoresName, topClassesText } from '../../classes.js';
import type { Config } from '../../config.js';
import type { Decoded, Given } from '../../decode/index.js';
import { late } from '../../decode/turns.js';
import { textReply } from '../../reply.js';
import type { HttpReply, HttpRequest, ServerContext } from '../../route.js';
import type { Served } from '../../shelf.js';
import { errors } from './errors.js';

const json = 'application/json';

export interface Prediction {
  readonly request: HttpRequest;
  readonly served: Served;
  /** Fields that were read before. */
  readonly given: Given;
  readonly config: Config;
}

/** Runs the model on what the request brings. Throws, or rejects, what the protocol's errors answer. */
export function predict(
  server: ServerContext,
  prediction: Prediction,
): HttpReply | Promise<HttpReply> {
  return held(prediction.served, decodeAndRun(server, prediction));
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

function decodeAndRun(
  server: ServerContext,
  prediction: Prediction,
): HttpReply | Promise<HttpReply> {
  const { request, served, given } = prediction;
  const decoded = server.decode(request, served.model.info, given);
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
  { request, served, config }: Prediction,
): Promise<HttpReply> {
  const { signal, asksForTiming } = request;
  const { maxResponseBytes } = config;
  const options = { signal, maxResponseBytes, timing: asksForTiming };
  // The body keeps its share of maxBufferedBytes until then: nothing else counts a large one before it is read.
  const { body, timing } = await served.model.predictJson(bytes, options);
  const reply = textReply(json, body);
  return timing === undefined ? reply : { ...reply, timing };
}

async function classify(
  { tensors, endsMs }: Extract<Decoded, { kind: 'tensors' }>,
  { request, served, config }: Prediction,
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
  const form = config.profile === 'torchserve' ? 'object' : 'list';
  return textReply(json, topClassesText(scores, model.info.postprocess?.[name], form));
}
