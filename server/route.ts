// SPDX-License-Identifier: Apache-2.0
// What http.ts, app.ts and the protocols hand each other: requests, replies, routes. Types only.
import type { ErrorCode, Histogram, JsonTiming } from '../lib/index.js';
import type { Config } from './config.js';
import type { Decode } from './decode/index.js';
import type { TurnStats } from './decode/turns.js';
import type { Log } from './log.js';
import type { Registry } from './registry/index.js';
import type { Served, Shelf } from './shelf.js';
import type { Throttle } from './throttle.js';
import type { TlsFiles } from './tls/index.js';
import type { VariantCounts } from './traffic.js';

/** One request, complete: every byte of the body has arrived. */
export interface HttpRequest {
  /** Fresh for each request; the reply carries it as `x-request-id`. */
  readonly id: string;
  /** As sent, so upper case for every known method. */
  readonly method: string;
  /** As sent: percent-encoded, without the query string. */
  readonly path: string;
  /** As sent, without the question mark. */
  readonly query: string;
  /** Value of each of these headers, empty when it did not come. */
  readonly contentType: string;
  readonly contentEncoding: string;
  readonly host: string;
  readonly origin: string;
  /** The rest in their order: name in lower case, value, name, value; see headerOf(). */
  readonly otherHeaders: readonly string[];
  /** Whether the reply should have its `timing`. */
  readonly asksForTiming: boolean;
  readonly body: Buffer;
  /** For a handler that needs the body no longer: its memory is free for others then, else with the reply. */
  readonly releaseBody: () => void;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
}

export interface HttpReply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the connection is closed afterwards; by default it is for a status of 400 or more. */
  readonly close?: boolean;
  /** Of a prediction from JSON; shown to a client that asked. */
  readonly timing?: JsonTiming;
}

export interface Responder {
  /** Answers one complete request. Never throws and never rejects. */
  (request: HttpRequest): HttpReply | Promise<HttpReply>;
  /** Answers what is not let in, before its body is taken in; there is none where everything is. Never throws. */
  readonly admit?: (request: HttpRequest) => HttpReply | undefined;
}

/** What is done with the requests of a listener. */
export interface Serving {
  readonly respond: Responder;
  /** Present where it speaks TLS; read at once. */
  readonly tls?: TlsFiles | undefined;
}

export interface Listening extends Serving {
  /** Of other threads, which get their connections in turn with this one. */
  readonly others?: readonly AppDescriptor[];
}

export interface HttpStats {
  readonly connections: number;
  readonly inFlight: number;
  readonly bufferedBytes: number;
  /** Replies so far, by status. */
  readonly replies: ReadonlyMap<number, number>;
  /** From the headers of a request until its handler has it, body and all. */
  readonly acceptSeconds: Histogram;
  /** From a reply until its last byte is handed to the socket. */
  readonly writeSeconds: Histogram;
}

/** Names a listener's half on another thread: where uWebSockets.js hands connections to. Only its bits count. */
export type AppDescriptor = number;

export interface DrainLimits {
  /** How long connections without a request stay open after the last answer. */
  readonly graceMs: number;
  /** How long all of it may take. */
  readonly limitMs: number;
}

/** A request that the drain limit cut off. */
export interface CutRequest {
  readonly id: string;
  readonly method: string;
  readonly path: string;
}

/** One place to listen. */
export interface Address {
  readonly scheme: 'http' | 'https' | 'unix';
  /** A name or an IP address; for `unix` the path of the socket. */
  readonly host: string;
  /** Without a meaning for `unix`. */
  readonly port: number;
}

export interface HttpServer {
  /**
   * @param address  its port 0 takes a free one.
   * @returns        the port in use.
   * @throws         an Error that names address and reason.
   */
  readonly listen: (address: Address, listening: Listening) => Promise<number>;
  /** Takes connections that the listener of another thread accepts: the descriptor it has to be given. */
  readonly adopt: (serving: Serving) => AppDescriptor;
  /**
   * Takes no more connections, answers what comes on the open ones with `connection: close`, then closes all.
   * @param graceMs  how long connections without a request stay open after the last answer.
   * @param limitMs  how long all this may take; what is then unanswered is cut and returned.
   */
  readonly drain: (graceMs: number, limitMs: number) => Promise<readonly CutRequest[]>;
  /** Cuts all connections at once. */
  readonly close: () => void;
  readonly isDraining: () => boolean;
  readonly stats: () => HttpStats;
}

/**
 * `params` are the decoded segments that stand where the route's path has `{name}`, in order. What a handler throws
 * is answered by `fail`, which one that has more to say with it calls itself.
 */
export type Handler = (
  request: HttpRequest,
  params: readonly string[],
  fail: (error: unknown) => HttpReply,
) => HttpReply | Promise<HttpReply>;

export type ListenerName = 'inference' | 'management' | 'metrics';

/**
 * One endpoint. `path` is `/literal/{name}`, where any further segments may follow when it ends in `/*`. A GET route also
 * answers HEAD, an ANY route every method that no route before it takes.
 */
export interface Route {
  readonly listener: ListenerName;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE' | 'OPTIONS' | 'ANY';
  readonly path: string;
  /** Needs no token, as those who look after the machine have none. */
  readonly isOpen?: true;
  readonly handle: Handler;
  /** Needs what only the main thread has, which is asked by the others. The other listeners' routes always do. */
  readonly onMain?: boolean;
}

/** What a failure looks like to the clients of one API. */
export interface ErrorStyle {
  /** @param error  what a handler threw. */
  readonly fromError: (error: unknown) => HttpReply;
  /**
   * @param status  of HTTP, 400 or more.
   * @param path    of the request, where no route says whose it is.
   */
  readonly fromStatus: (status: number, message: string, path?: string) => HttpReply;
}

/** One outside API. */
export interface Protocol {
  readonly name: string;
  readonly errors: ErrorStyle;
  /** @param listeners  the APIs that share one listener; routes of others are left out. */
  readonly routes: (server: ServerContext, listeners: readonly ListenerName[]) => readonly Route[];
}

/** What handlers may ask of the running server. */
export interface ServerContext {
  readonly config: Config;
  readonly log: Log;
  /** Which failures of requests are logged. */
  readonly failures: Throttle;
  /** What this thread can run. */
  readonly find: Shelf['find'];
  /** A model that was found evicted, loaded again and held for the caller. */
  readonly await: (name: string, version?: string) => Promise<Served>;
  readonly trafficOf: Shelf['trafficOf'];
  readonly startupModel: Shelf['startupModel'];
  readonly targetOf: Shelf['targetOf'];
  /** Requests of this thread by variant. */
  readonly variants: VariantCounts;
  /** On the main thread only, which answers everything that is not about predictions. */
  readonly registry: Registry;
  readonly decode: Decode;
  /** Whether requests should be sent here: all is loaded, and the server is not asked to end. */
  readonly isReady: () => boolean;
  readonly isDraining: () => boolean;
  /** Of all HTTP threads, the main one first. Reading them starts a new period for the event-loop delay. */
  readonly threads: () => Promise<readonly ThreadStats[]>;
}

/** What each HTTP thread knows about itself. */
export interface ThreadStats {
  readonly http: HttpStats;
  readonly images: TurnStats;
  readonly loopDelay: LoopDelay;
  readonly heapBytes: number;
  /** Buffers outside of the heap. */
  readonly externalBytes: number;
  readonly variants: VariantCounts;
}

/** Delay of the event loop since it was last asked for, in seconds. */
export interface LoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** A status and the name that a protocol gives to a code of the library. */
export type ErrorTable = Readonly<
  Record<ErrorCode, { readonly status: number; readonly type: string }>
>;
