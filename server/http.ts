// SPDX-License-Identifier: Apache-2.0
// The only uWebSockets.js file: listen, read body, abort, cork, write, shut down.
import { randomUUID } from 'node:crypto';
import { whyNotListening } from './address.js';
import { type BodyLimits, type BodyReader, createBodyReader, createBudget } from './body.js';
import { type Cancellation, createCancellation } from './cancellation.js';
import { createDrain } from './drain.js';
import { type Head, type Refusal, readHead } from './framing.js';
import type {
  AppDescriptor,
  CutRequest,
  ErrorStyle,
  HttpReply,
  HttpRequest,
  HttpServer,
  Responder,
} from './route.js';
import { statusLine } from './status.js';
import type { Uws, UwsApp, UwsRequest, UwsResponse } from './uws.js';

export interface HttpOptions {
  readonly maxRequestBytes: number;
  readonly maxBufferedBytes: number;
  readonly maxHeaderBytes: number;
  /** For what is refused before a handler sees it. */
  readonly errors: ErrorStyle;
}

/** One request from its headers to the last byte of its reply. */
interface Exchange extends CutRequest {
  readonly query: string;
  readonly head: Head;
  readonly res: UwsResponse;
  readonly respond: Responder;
  readonly reader: BodyReader;
  cancellation: Cancellation | undefined;
  /** From here on `res` must not be touched. */
  over: boolean;
}

/** What the functions of one server share; nothing outside this file sees it. */
interface State {
  readonly uws: Uws;
  readonly errors: ErrorStyle;
  readonly limits: BodyLimits;
  readonly apps: UwsApp[];
  readonly sockets: object[];
  readonly inFlight: Set<Exchange>;
  /** Complete, and to be handed over at the end of this turn. */
  readonly ready: Exchange[];
  readonly replies: Map<number, number>;
  connections: number;
  draining: boolean;
  /** Called whenever inFlight or connections changed. */
  onChange: () => void;
}

/** @throws  an Error with the remedy when uWebSockets.js has no binary for this Node. */
export async function createHttp(options: HttpOptions): Promise<HttpServer> {
  const budget = createBudget(options.maxBufferedBytes);
  const state: State = {
    uws: await loadUws(options.maxHeaderBytes),
    errors: options.errors,
    limits: { maxBytes: options.maxRequestBytes, budget },
    apps: [],
    sockets: [],
    inFlight: new Set(),
    ready: [],
    replies: new Map(),
    connections: 0,
    draining: false,
    onChange: () => {},
  };
  return {
    listen: (host, port, respond, others = []) => listen(state, { host, port, respond, others }),
    adopt: respond => createApp(state, respond).getDescriptor(),
    drain: (graceMs, limitMs) => drain(state, graceMs, limitMs),
    close: () => close(state),
    isDraining: () => state.draining,
    stats: () => ({
      connections: state.connections,
      inFlight: state.inFlight.size,
      bufferedBytes: budget.usedBytes(),
      replies: state.replies,
    }),
  };
}

async function loadUws(maxHeaderBytes: number): Promise<Uws> {
  process.env['UWS_HTTP_MAX_HEADERS_SIZE'] = String(maxHeaderBytes); // read once, when the library is loaded
  try {
    // The repack is ESM, upstream's own package is CommonJS; both have the same names.
    const loaded = (await import('uWebSockets.js')) as unknown as Uws & { readonly default?: Uws };
    const uws = loaded.App === undefined && loaded.default ? loaded.default : loaded;
    uws._cfg('silent'); // no header that names the library
    return uws;
  } catch (cause) {
    const message =
      `uWebSockets.js: expected a binary for Node ${process.version} on ${process.platform} ${process.arch}, ` +
      'found none. It comes with those for Node 20 and 22; for another version install a release of ' +
      'uNetworking/uWebSockets.js under the name uWebSockets.js beside this package.';
    throw new Error(message, { cause });
  }
}

interface Place {
  readonly host: string;
  readonly port: number;
  readonly respond: Responder;
  readonly others: readonly AppDescriptor[];
}

async function listen(state: State, { host, port, respond, others }: Place): Promise<number> {
  const { uws } = state;
  const app = createApp(state, respond);
  const all = others.length === 0 ? [] : [app.getDescriptor(), ...others];
  for (const descriptor of all) app.addChildAppDescriptor(descriptor);
  const socket = await new Promise<object | false>(resolve =>
    app.listen(host, port, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, resolve),
  );
  if (socket === false) {
    throw new Error(`cannot listen on ${host}:${port}: ${await whyNotListening(host, port)}`);
  }
  state.sockets.push(socket);
  return uws.us_socket_local_port(socket);
}

function createApp(state: State, respond: Responder): UwsApp {
  const app = state.uws.App();
  const count = (_: UwsResponse, change: number) => {
    state.connections += change;
    state.onChange();
  };
  app.filter(count);
  app.any('/*', (res, req) => accept(state, { res, req, respond }));
  state.apps.push(app);
  return app;
}

interface Arrival {
  readonly res: UwsResponse;
  readonly req: UwsRequest;
  readonly respond: Responder;
}

function accept(state: State, { res, req, respond }: Arrival): void {
  const head = readHead(visit => req.forEach(visit));
  const exchange: Exchange = {
    id: randomUUID(),
    method: req.getCaseSensitiveMethod(),
    path: req.getUrl(),
    query: req.getQuery() ?? '',
    head,
    res,
    respond,
    reader: createBodyReader(head.declaredBytes, state.limits),
    cancellation: undefined,
    over: false,
  };
  state.inFlight.add(exchange);
  res.onAborted(() => {
    finish(state, exchange);
    exchange.cancellation?.abort();
  });
  if (head.refusal !== undefined) {
    // Where this request ends is not certain, so nothing after it on this connection can be trusted.
    sendApart(state, exchange, { ...refusalReply(state, head.refusal), close: true });
  } else if (head.declaredBytes === 0) {
    dispatch(state, exchange, answerInside);
  } else {
    res.onData((chunk, isLast) => addToBody(state, exchange, { chunk, isLast }));
  }
}

interface Arrived {
  readonly chunk: ArrayBuffer;
  readonly isLast: boolean;
}

function addToBody(state: State, exchange: Exchange, { chunk, isLast }: Arrived): void {
  if (exchange.over) return;
  const progress = exchange.reader.add(chunk, isLast);
  if (progress === 'more') return;
  const refusal = exchange.reader.refusal();
  if (refusal === undefined) {
    dispatchSoon(state, exchange);
    return;
  }
  // A body that is too large but was read to its end leaves a connection that can go on.
  const close = progress === 'hopeless' || refusal.status !== 413;
  const reply = { ...refusalReply(state, refusal), close };
  answerInside(state, exchange, reply);
}

type Answer = (state: State, exchange: Exchange, reply: HttpReply) => void;

/**
 * The parser goes on in the bytes that came together with a request as soon as its answer is written, also when that
 * answer closes the connection. While no answer is written it stops there and drops them.
 */
function answerInside(state: State, exchange: Exchange, reply: HttpReply): void {
  // An answer to HEAD cannot close; the client is only asked to. While draining the bytes behind may be good requests,
  // which are answered as well: the end of the drain closes the connection.
  if (exchange.method !== 'HEAD' && closes(exchange, reply)) {
    sendApart(state, exchange, reply);
  } else send(state, exchange, reply);
}

/** Answers outside of the parser, which therefore takes nothing that stands behind this request for another one. */
function sendApart(state: State, exchange: Exchange, reply: HttpReply): void {
  setImmediate(() => send(state, exchange, reply));
}

function refusalReply({ errors }: State, { status, message }: Refusal): HttpReply {
  return errors.fromStatus(status, message);
}

/**
 * Hands over all requests that arrived in one turn of the event loop at its end, in one go: the library then wakes
 * its lanes once for all of them, and they meet in one batch. A lone request loses no more than that turn.
 */
function dispatchSoon(state: State, exchange: Exchange): void {
  if (state.ready.push(exchange) > 1) return;
  setImmediate(() => {
    for (const ready of state.ready.splice(0)) if (!ready.over) dispatch(state, ready, send);
  });
}

/** A failure that nobody caught is answered like any other, so that it stays with its request, and then reported. */
function dispatch(state: State, exchange: Exchange, answer: Answer): void {
  try {
    const reply = exchange.respond(requestOf(exchange));
    if (!(reply instanceof Promise)) {
      answer(state, exchange, reply);
      return;
    }
    // One that is settled already gets here before the parser's callback is over.
    reply
      .then(settled => answer(state, exchange, settled))
      .catch(error => surprise(state, exchange, error));
  } catch (error) {
    surprise(state, exchange, error);
  }
}

/** Answers in place of a handler that broke the rule never to throw, and reports what it threw. */
function surprise(state: State, exchange: Exchange, error: unknown): void {
  sendApart(state, exchange, state.errors.fromError(error));
  queueMicrotask(() => {
    throw error;
  });
}

function requestOf(exchange: Exchange): HttpRequest {
  const { id, method, path, query, head, reader } = exchange;
  return {
    id,
    method,
    path,
    query,
    contentType: head.contentType,
    contentEncoding: head.contentEncoding,
    host: head.host,
    origin: head.origin,
    body: reader.bytes(),
    get signal() {
      exchange.cancellation ??= createCancellation();
      if (exchange.over) exchange.cancellation.abort();
      return exchange.cancellation.signal;
    },
  };
}

/** Forgets an exchange whose client went away, or whose reply is written. */
function finish(state: State, exchange: Exchange): void {
  if (exchange.over) return;
  exchange.over = true;
  exchange.reader.release();
  state.inFlight.delete(exchange);
  state.onChange();
}

// One header for the library, several for the client: every call of writeHeader is a crossing. All values are ours.
const noCache =
  'Pragma: no-cache\r\nCache-Control: no-cache; no-store, must-revalidate, private\r\nExpires: Thu, 01 Jan 1970 00:00:00 UTC';

/** A larger reply is written as its client reads it, so that the drain knows when it is out. */
const streamedBytes = 65_536;

function send(state: State, exchange: Exchange, reply: HttpReply): void {
  if (exchange.over) return;
  const { res } = exchange;
  const { status } = reply;
  const close = state.draining || closes(exchange, reply);
  state.replies.set(status, (state.replies.get(status) ?? 0) + 1);
  res.cork(() => {
    res.writeStatus(statusLine(status));
    res.writeHeader(
      'x-request-id',
      `${exchange.id}\r\n${noCache}\r\ncontent-type: ${reply.contentType}`,
    );
    for (const name in reply.headers) res.writeHeader(name, reply.headers[name] ?? '');
    writeBody(state, exchange, { body: reply.body, close });
  });
}

function closes({ head }: Exchange, { close, status }: HttpReply): boolean {
  return asksToClose(head) || (close ?? status >= 400);
}

function asksToClose({ connection }: Head): boolean {
  return connection.some(value => /(^|,)[ \t]*close[ \t]*(,|$)/i.test(value));
}

function writeConnection(res: UwsResponse, close: boolean): void {
  res.writeHeader('connection', close ? 'close' : 'keep-alive');
}

interface Rest {
  readonly body: string | Buffer;
  readonly close: boolean;
}

function writeBody(state: State, exchange: Exchange, { body, close }: Rest): void {
  const { res, method, head } = exchange;
  const isHead = method === 'HEAD' && head.refusal === undefined;
  if (!isHead && body.length <= streamedBytes) {
    // end() writes `close` by itself, except when the first line of the client's asks for that and nothing else.
    if (!close || head.connection[0]?.toLowerCase() === 'close') writeConnection(res, close);
    res.end(method === 'HEAD' ? '' : body, close);
    finish(state, exchange);
    return;
  }
  // What cannot also close the connection asks the client to; else the idle timeout does it.
  writeConnection(res, close);
  if (isHead) {
    // With a size of its own, endWithoutBody() would wait for a body.
    res.writeHeader('content-length', String(Buffer.byteLength(body)));
    res.endWithoutBody();
    finish(state, exchange);
  } else {
    stream(state, exchange, typeof body === 'string' ? Buffer.from(body) : body);
  }
}

/** Writes what the socket takes now, and the rest when it takes more. */
function stream(state: State, exchange: Exchange, body: Buffer): void {
  const { res } = exchange;
  const start = res.getWriteOffset();
  const write = (offset: number) => {
    const [ok, done] = res.tryEnd(body.subarray(offset - start), body.length);
    if (done) finish(state, exchange);
    return ok;
  };
  if (!write(start)) res.onWritable(write);
}

/** Every connection is told to close by its next answer; those that never ask are closed at the end. */
async function drain(state: State, graceMs: number, limitMs: number): Promise<CutRequest[]> {
  stopListening(state);
  state.draining = true;
  // A connection that a listener took just now comes to its thread with a turn of the event loop.
  for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate);
  const work = () => ({ requests: state.inFlight.size, connections: state.connections });
  const { done, look } = createDrain(work, { graceMs, limitMs });
  state.onChange = look;
  await done;
  await new Promise(setImmediate); // out of any callback of the library, whose sockets are closed next
  const cut = [...state.inFlight].map(({ id, method, path }) => ({ id, method, path }));
  close(state);
  return cut;
}

function stopListening({ uws, sockets }: State): void {
  for (const socket of sockets.splice(0)) uws.us_listen_socket_close(socket);
}

function close(state: State): void {
  stopListening(state);
  for (const app of state.apps.splice(0)) app.close();
}
