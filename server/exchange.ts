// SPDX-License-Identifier: Apache-2.0
// One request of uWebSockets.js from its headers to the last byte of its reply: read body, abort, dispatch, cork, write.
// Hot path: what every request pays. The rules on `res` and `req` in uws.ts are kept here and nowhere else.
import { addChunk, type Body, type BodyLimits, bytesOf, createBody, releaseBody } from './body.js';
import { abort, type Cancellation, createCancellation } from './cancellation.js';
import { type Head, type Refusal, readHead } from './framing.js';
import { newRequestId } from './request_id.js';
import type { ErrorStyle, HttpReply, HttpRequest, Responder } from './route.js';
import { type Durations, serverTiming } from './stages.js';
import { statusLine } from './status.js';
import type { UwsRequest, UwsResponse } from './uws.js';

/** One request from its headers to the last byte of its reply. */
interface Exchange {
  readonly request: HttpRequest & { body: Buffer; readonly signal: Cancellation };
  readonly head: Head;
  readonly res: UwsResponse;
  readonly respond: Responder;
  /** undefined when there is none. */
  readonly body: Body | undefined;
  /** When its headers had come, on the clock of performance.now(). */
  readonly startMs: number;
  /** From then until its handler got it; 0 before, and when none does. */
  acceptMs: number;
  /** Its place in `inFlight`. */
  index: number;
  /** From here on `res` must not be touched. */
  over: boolean;
}

/** All exchanges of one server. */
export interface Exchanges {
  /** For what is refused before a handler sees it. */
  readonly errors: ErrorStyle;
  readonly heads: Heads;
  readonly limits: BodyLimits;
  /** In no order. Not a Set: the tables of one that changes with every request keep what was in it from being freed. */
  readonly inFlight: Exchange[];
  /** Complete, and to be handed over at the end of this turn. */
  readonly ready: Exchange[];
  /** Replies so far, by status. */
  readonly replies: Map<number, number>;
  readonly acceptTimes: Durations;
  readonly writeTimes: Durations;
  /** Every reply closes its connection. */
  draining: boolean;
  /** Called whenever one of them is over. */
  onChange: () => void;
}

/** What uWebSockets.js hands over; valid during its call. */
export interface Arrival {
  readonly res: UwsResponse;
  readonly req: UwsRequest;
  readonly respond: Responder;
  readonly method: string;
}

/** Takes a request. */
export function accept(all: Exchanges, arrival: Arrival): void {
  const { res } = arrival;
  const exchange = begin(all, arrival);
  const { head, body, respond } = exchange;
  res.onAborted(() => {
    finish(all, exchange);
    abort(exchange.request.signal);
  });
  if (head.refusal !== undefined) {
    // Where this request ends is not certain, so nothing after it on this connection can be trusted.
    sendApart(all, exchange, { ...refusalReply(all, exchange, head.refusal), close: true });
    return;
  }
  const instead = respond.admit?.(exchange.request);
  if (instead !== undefined) turnAway(all, exchange, instead);
  else if (body === undefined) dispatch(all, exchange, answerInside);
  else {
    res.onData((chunk, isLast) => {
      if (exchange.over) return;
      const progress = addChunk(body, chunk, isLast);
      if (progress !== 'more') endBody(all, exchange, { body, progress });
    });
  }
}

/**
 * A body is read first, and dropped: bytes that nobody has read make the system reset the connection, and the client
 * would not get the answer. One that is too large is not worth that; a chunk counts as one byte more than it has.
 */
function turnAway(all: Exchanges, exchange: Exchange, reply: HttpReply): void {
  const { body, res } = exchange;
  if (body === undefined) {
    answerInside(all, exchange, reply);
    return;
  }
  const last = () => sendApart(all, exchange, { ...reply, close: true });
  if (body.refusal !== undefined) {
    last();
    return;
  }
  let leftBytes = body.maxBytes;
  res.onData((chunk, isLast) => {
    if (exchange.over || leftBytes < 0) return;
    leftBytes -= chunk.byteLength + 1;
    if (isLast || leftBytes < 0) last();
  });
}

function begin(all: Exchanges, { res, req, respond, method }: Arrival): Exchange {
  const head = readHead(req);
  const { contentType, contentEncoding, host, origin, asksForTiming, others, declaredBytes } = head;
  const exchange: Exchange = {
    request: {
      id: newRequestId(),
      method,
      path: req.getUrl(),
      query: req.getQuery() ?? '',
      contentType,
      contentEncoding,
      host,
      origin,
      asksForTiming,
      otherHeaders: others,
      body: noBytes,
      releaseBody: () => releaseBodyOf(exchange),
      signal: createCancellation(),
    },
    head,
    res,
    respond,
    body: declaredBytes === 0 ? undefined : createBody(declaredBytes, all.limits),
    startMs: performance.now(),
    acceptMs: 0,
    index: all.inFlight.length,
    over: false,
  };
  all.inFlight.push(exchange);
  return exchange;
}

const noBytes = Buffer.alloc(0);

interface BodyEnd {
  readonly body: Body;
  readonly progress: 'complete' | 'hopeless';
}

function endBody(all: Exchanges, exchange: Exchange, { body, progress }: BodyEnd): void {
  const { refusal } = body;
  if (refusal === undefined) {
    exchange.request.body = bytesOf(body);
    dispatchSoon(all, exchange);
    return;
  }
  // A body that is too large but was read to its end leaves a connection that can go on.
  const close = progress === 'hopeless' || refusal.status !== 413;
  const reply = { ...refusalReply(all, exchange, refusal), close };
  answerInside(all, exchange, reply);
}

type Answer = (all: Exchanges, exchange: Exchange, reply: HttpReply) => void;

/**
 * The parser goes on in the bytes that came together with a request as soon as its answer is written, also when that
 * answer closes the connection. While no answer is written it stops there and drops them.
 */
function answerInside(all: Exchanges, exchange: Exchange, reply: HttpReply): void {
  // While draining the bytes behind may be good requests, which are answered as well: the end of the drain closes the
  // connection.
  if (!isHeadOnly(exchange, reply) && closes(exchange, reply)) {
    sendApart(all, exchange, reply);
  } else send(all, exchange, reply);
}

/** Answers outside of the parser, which therefore takes nothing that stands behind this request for another one. */
function sendApart(all: Exchanges, exchange: Exchange, reply: HttpReply): void {
  setImmediate(() => send(all, exchange, reply));
}

function refusalReply(
  { errors }: Exchanges,
  { request }: Exchange,
  { status, message }: Refusal,
): HttpReply {
  return errors.fromStatus(status, message, request.path);
}

/**
 * Hands over all requests that arrived in one turn of the event loop at its end, in one go: the library then wakes
 * its lanes once for all of them, and they meet in one batch. A lone request loses no more than that turn.
 */
function dispatchSoon(all: Exchanges, exchange: Exchange): void {
  if (all.ready.push(exchange) > 1) return;
  setImmediate(() => {
    for (const ready of all.ready.splice(0)) if (!ready.over) dispatch(all, ready, send);
  });
}

/** A failure that nobody caught is answered like any other, so that it stays with its request, and then reported. */
function dispatch(all: Exchanges, exchange: Exchange, answer: Answer): void {
  exchange.acceptMs = performance.now() - exchange.startMs;
  all.acceptTimes.add(exchange.acceptMs);
  try {
    const reply = exchange.respond(exchange.request);
    if (!(reply instanceof Promise)) {
      answer(all, exchange, reply);
      return;
    }
    void answerLater(all, exchange, { reply, answer });
  } catch (error) {
    surprise(all, exchange, error);
  }
}

interface Later {
  readonly reply: Promise<HttpReply>;
  readonly answer: Answer;
}

/** A reply that is settled already gets here before the parser's callback is over. */
async function answerLater(
  all: Exchanges,
  exchange: Exchange,
  { reply, answer }: Later,
): Promise<void> {
  try {
    answer(all, exchange, await reply);
  } catch (error) {
    surprise(all, exchange, error);
  }
}

/** Answers in place of a handler that broke the rule never to throw, and reports what it threw. */
function surprise(all: Exchanges, exchange: Exchange, error: unknown): void {
  sendApart(all, exchange, all.errors.fromError(error));
  queueMicrotask(() => {
    throw error;
  });
}

function releaseBodyOf({ request, body }: Exchange): void {
  if (body === undefined) return;
  request.body = noBytes;
  releaseBody(body);
}

/** The last byte of the reply is handed over. */
function written(all: Exchanges, exchange: Exchange, startMs: number): void {
  all.writeTimes.add(performance.now() - startMs);
  finish(all, exchange);
}

/** Forgets an exchange whose client went away, or whose reply is written. */
function finish(all: Exchanges, exchange: Exchange): void {
  if (exchange.over) return;
  exchange.over = true;
  releaseBodyOf(exchange);
  const last = all.inFlight.pop();
  if (last !== undefined && last !== exchange) {
    all.inFlight[exchange.index] = last;
    last.index = exchange.index;
  }
  all.onChange();
}

// One header for the library, several for the client: every call of writeHeader is a crossing. All values are ours.
const noCache =
  'Pragma: no-cache\r\nCache-Control: no-cache; no-store, must-revalidate, private\r\nExpires: Thu, 01 Jan 1970 00:00:00 UTC';

/** What follows the id in it, by what it says of the connection. */
export type Heads = Readonly<Record<'keep-alive' | 'close' | '', string>>;

/** @param lines  of headers that all answers have. */
export function createHeads(lines: readonly string[]): Heads {
  const rest = [noCache, ...lines, 'content-type: '].join('\r\n');
  return {
    'keep-alive': `\r\nconnection: keep-alive\r\n${rest}`,
    close: `\r\nconnection: close\r\n${rest}`,
    '': `\r\n${rest}`,
  };
}

/** A larger reply is written as its client reads it, so that the drain knows when it is out. */
const streamedBytes = 65_536;

function send(all: Exchanges, exchange: Exchange, reply: HttpReply): void {
  if (exchange.over) return;
  const startMs = performance.now();
  const { res, request, head } = exchange;
  const { status, body } = reply;
  const isHead = isHeadOnly(exchange, reply);
  const isWhole = !isHead && body.length <= streamedBytes;
  const close = all.draining || closes(exchange, reply);
  all.replies.set(status, (all.replies.get(status) ?? 0) + 1);
  res.cork(() => {
    writeHead(exchange, reply, all.heads[connectionOf(head, close, isWhole)]);
    if (isWhole) {
      res.end(request.method === 'HEAD' ? '' : body, close);
      written(all, exchange, startMs);
    } else if (isHead) {
      // With a size of its own, endWithoutBody() would wait for a body.
      res.writeHeader('content-length', String(Buffer.byteLength(body)));
      res.endWithoutBody();
      written(all, exchange, startMs);
    } else {
      const bytes = typeof body === 'string' ? Buffer.from(body) : body;
      stream(res, bytes, () => written(all, exchange, startMs));
    }
  });
}

function writeHead(exchange: Exchange, reply: HttpReply, rest: string): void {
  const { res, request, acceptMs } = exchange;
  const { status, contentType, headers, timing } = reply;
  if (status !== 200) res.writeStatus(statusLine(status)); // the library's own otherwise
  res.writeHeader('x-request-id', request.id + rest + contentType);
  for (const name in headers) res.writeHeader(name, headers[name] ?? '');
  if (request.asksForTiming && acceptMs > 0) {
    res.writeHeader('server-timing', serverTiming(acceptMs, timing));
  }
}

function closes({ head }: Exchange, { close, status }: HttpReply): boolean {
  return asksToClose(head) || (close ?? status >= 400);
}

/** Of what HEAD is told. It cannot close, the client is only asked to: where what follows is no request, it will not do. */
function isHeadOnly({ request, head, body }: Exchange, { close }: HttpReply): boolean {
  const mustClose = head.refusal !== undefined || (close === true && body !== undefined);
  return request.method === 'HEAD' && !mustClose;
}

function asksToClose({ connection }: Head): boolean {
  return connection.some(value => /(^|,)[ \t]*close[ \t]*(,|$)/i.test(value));
}

/** What has to be said. What end() cannot close the client is asked to close; else the idle timeout does it. */
function connectionOf({ connection }: Head, close: boolean, isWhole: boolean): keyof Heads {
  if (!close) return 'keep-alive';
  // end() writes `close` by itself, except when the first line of the client's asks for that and nothing else.
  return isWhole && connection[0]?.toLowerCase() !== 'close' ? '' : 'close';
}

/** Writes what the socket takes now, and the rest when it takes more. */
function stream(res: UwsResponse, body: Uint8Array, whenDone: () => void): void {
  const start = res.getWriteOffset();
  const write = (offset: number) => {
    const [ok, done] = res.tryEnd(body.subarray(offset - start), body.length);
    if (done) whenDone();
    return ok;
  };
  if (!write(start)) res.onWritable(write);
}
