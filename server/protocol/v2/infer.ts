// SPDX-License-Identifier: Apache-2.0
// A prediction of the Open Inference Protocol: inflate, run, compress.
import { InferenceError } from '../../../lib/index.js';
import { codingFor, compress, type Inflate, isInflatable } from '../../compression.js';
import { quote } from '../../decode/describe.js';
import { headerOf } from '../../headers.js';
import type { HttpReply, HttpRequest, ServerContext } from '../../route.js';
import type { Served } from '../../shelf.js';
import { errorReply } from './errors.js';

const headerLength = 'inference-header-content-length';

export interface Prediction {
  readonly request: HttpRequest;
  readonly served: Served;
  readonly inflate: Inflate;
}

/** The model stays loaded until it has answered, whoever unloads it meanwhile. */
export async function infer(
  server: ServerContext,
  { request, served, inflate }: Prediction,
): Promise<HttpReply> {
  served.hold();
  try {
    const isInflated = isInflatable(request.contentEncoding);
    if (isInflated === undefined) return await run(server, { request, served, body: request.body });
    if (!isInflated) return unsupported();
    const { bytes, release } = await inflate(request.body, request.signal);
    request.releaseBody();
    try {
      return await run(server, { request, served, body: bytes });
    } finally {
      release();
    }
  } finally {
    served.release();
  }
}

function unsupported(): HttpReply {
  const reply = errorReply(415, 'Unsupported compression type');
  return { ...reply, headers: { 'accept-encoding': 'gzip, deflate' } };
}

interface Run {
  readonly request: HttpRequest;
  readonly served: Served;
  readonly body: Buffer;
}

async function run(
  { config: { maxResponseBytes } }: ServerContext,
  { request, served, body }: Run,
): Promise<HttpReply> {
  const { signal, asksForTiming: timing } = request;
  const headerBytes = readHeaderBytes(headerOf(request, headerLength), body.length);
  const options = { signal, maxResponseBytes, timing, headerBytes };
  const answer = await served.model.predictV2(body, options);
  return compressed(request, replyOf(answer));
}

type Answer = Awaited<ReturnType<Served['model']['predictV2']>>;

function replyOf({ body, headerBytes, timing }: Answer): HttpReply {
  const reply: HttpReply =
    headerBytes === undefined
      ? { status: 200, contentType: 'application/json', body }
      : {
          status: 200,
          contentType: 'application/octet-stream',
          body,
          headers: { [headerLength]: String(headerBytes) },
        };
  return timing === undefined ? reply : { ...reply, timing };
}

function compressed(request: HttpRequest, reply: HttpReply): HttpReply | Promise<HttpReply> {
  const accepted = headerOf(request, 'accept-encoding');
  const isText = reply.headers === undefined;
  const coding = codingFor(accepted, isText, reply.body.length);
  if (coding === undefined) return reply;
  const headers = { ...reply.headers, 'content-encoding': coding };
  return compress(reply.body, coding).then(body => ({ ...reply, headers, body }));
}

/**
 * How many bytes of the body are JSON.
 * @param text       the header `Inference-Header-Content-Length`; empty when it did not come.
 * @param bodyBytes  of the body once inflated.
 * @returns          undefined when all of it is JSON; 0 for the raw data of one input.
 * @throws           INFER_BAD_INPUT for anything else.
 */
export function readHeaderBytes(text: string, bodyBytes: number): number | undefined {
  if (text === '') return undefined;
  if (!/^-?\d+$/.test(text)) {
    throw badHeader(`Unable to parse Inference-Header-Content-Length, got: ${quote(text)}`);
  }
  const bytes = Number(text);
  if (bytes >= 0 && bytes <= bodyBytes) return bytes;
  const range = `(0, ${bodyBytes})`;
  const shown = text.slice(0, 60);
  throw badHeader(`inference header size should be in range ${range}, got: ${shown}`);
}

function badHeader(message: string): InferenceError {
  return new InferenceError('INFER_BAD_INPUT', message);
}
