// SPDX-License-Identifier: Apache-2.0
// A prediction from the body of a request to the reply: choose the format of the answer, decode, run, write.
import type { JsonAnswer, JsonTiming, ModelInfo, Tensor } from '../../../lib/index.js';
import { type AnswerType, acceptOf, chooseAnswer, notAcceptable } from '../../accept.js';
import { scoresName, topClassesText } from '../../classes.js';
import type { Config } from '../../config.js';
import type { Decoded, Given } from '../../decode/index.js';
import { late } from '../../decode/turns.js';
import { textReply } from '../../reply.js';
import type { HttpReply, HttpRequest, ServerContext } from '../../route.js';
import type { Served } from '../../shelf.js';
import { errors } from './errors.js';

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
  const { info } = served.model;
  const accept = acceptOf(request);
  const answer = chooseAnswer(accept, info);
  if (answer === undefined) return errors.fromStatus(406, notAcceptable(accept, info));
  const decoded = server.decode(request, info, given);
  if (decoded instanceof Promise) return decoded.then(value => run(value, prediction, answer));
  return run(decoded, prediction, answer);
}

function run(
  decoded: Decoded,
  prediction: Prediction,
  answer: AnswerType,
): HttpReply | Promise<HttpReply> {
  if (decoded.kind === 'unsupported') return errors.fromStatus(415, decoded.message);
  if (decoded.kind === 'tensors') return answerTensors(decoded, prediction, answer);
  return answerBytes(decoded, prediction, answer);
}

/** Awaits rather than chains: the one hot path of the server. */
async function answerBytes(
  { bytes, from }: Extract<Decoded, { kind: 'bytes' }>,
  { request, served, config }: Prediction,
  { to, contentType }: AnswerType,
): Promise<HttpReply> {
  const { signal, asksForTiming } = request;
  const { maxResponseBytes } = config;
  const options = { signal, maxResponseBytes, timing: asksForTiming };
  const { model } = served;
  // The body keeps its share of maxBufferedBytes until then: nothing else counts a large one before it is read.
  const { body, timing } =
    from === 'json' && to === 'json'
      ? await model.predictJson(bytes, options)
      : await model.predictBytes(bytes, { ...options, from, to });
  return replyOf(contentType, body, timing);
}

function replyOf(contentType: string, body: JsonAnswer['body'], timing?: JsonTiming): HttpReply {
  const reply = textReply(contentType, body);
  return timing === undefined ? reply : { ...reply, timing };
}

async function answerTensors(
  { tensors, endsMs, areImages }: Extract<Decoded, { kind: 'tensors' }>,
  { request, served, given, config }: Prediction,
  { to, contentType }: AnswerType,
): Promise<HttpReply> {
  const { model } = served;
  const { maxResponseBytes, profile } = config;
  // The fields of a form are copies of the body that stay as long as the request does.
  const release = given.form === undefined ? request.releaseBody : () => {};
  const leftMs = endsMs - performance.now();
  if (leftMs <= 0) throw late();
  const timeout = leftMs < Number.POSITIVE_INFINITY ? { timeoutMs: leftMs } : {};
  const options = { signal: request.signal, ...timeout };
  if (areImages && to === 'json') {
    release(); // it is tensors now
    const outputs = await model.predict(tensors, options);
    return textReply(contentType, classesOf(model.info, outputs, profile));
  }
  const timed = { timing: request.asksForTiming };
  const answer = model.predictBytes(tensors, { ...options, ...timed, to, maxResponseBytes });
  release(); // its elements are copied
  const { body, timing } = await answer;
  return replyOf(contentType, body, timing);
}

function classesOf(
  info: ModelInfo,
  outputs: Readonly<Record<string, Tensor>>,
  profile: Config['profile'],
): string {
  const name = scoresName(info);
  const scores = outputs[name];
  if (scores === undefined) throw new Error(`output ${name}: missing in the answer`);
  const form = profile === 'torchserve' ? 'object' : 'list';
  return topClassesText(scores, info.postprocess?.[name], form);
}
