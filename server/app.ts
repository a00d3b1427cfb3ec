// SPDX-License-Identifier: Apache-2.0
// Joins the protocols' route tables; refuses two owners of one path; answers each request by its route.
import { InferenceError } from '../lib/index.js';
import type { Config } from './config.js';
import { createGate, type Gate } from './gate.js';
import type { Log } from './log.js';
import type {
  ErrorStyle,
  Handler,
  HttpReply,
  HttpRequest,
  ListenerName,
  Protocol,
  Responder,
  Route,
  ServerContext,
} from './route.js';
import { createRouter, findRoute, type NotFound, type Owned } from './router.js';
import { kindOf, type Throttle } from './throttle.js';

export interface AppOptions {
  readonly protocols: readonly Protocol[];
  readonly context: ServerContext;
  /** For requests that no route takes. */
  readonly errors: ErrorStyle;
}

/** The APIs that one listener serves, and whether only this machine can reach it. */
export interface Mount {
  readonly listeners: readonly ListenerName[];
  readonly isLoopback: boolean;
}

/**
 * Makes what answers the requests of one listener.
 * @throws  Error when two protocols claim the same method and path.
 */
export function createResponder(options: AppOptions, mount: Mount): Responder {
  const router = createRouter(routesOf(options, mount));
  const { errors, context } = options;
  const gate = createGate(context.config, mount.listeners, context.log);
  const respond = (request: HttpRequest) => {
    const found = findRoute(router, request);
    if (!('route' in found)) return refuse(errors, found, request.path);
    const { route, params } = found;
    if (mustBeFromHere(route, mount, gate) && !isFromHere(request, context.config)) {
      return errors.fromStatus(403, foreignMessage(request));
    }
    const { log, failures } = context;
    return run(route.handle, { request, params, errors: found.errors, log, failures });
  };
  if (gate === undefined) return respond;
  const admit = (request: HttpRequest) => {
    const found = findRoute(router, request);
    if ('route' in found) return gate.admit(request, found);
    return gate.admit(request) ?? refuse(errors, found, request.path);
  };
  return Object.assign(respond, { admit });
}

/** Pages of other sites have no token. */
function mustBeFromHere({ listener }: Route, { isLoopback }: Mount, gate?: Gate): boolean {
  return listener === 'management' && isLoopback && gate?.isGuarded(listener) !== true;
}

/** What one listener serves, in the order of the protocols. */
function routesOf({ protocols, context }: AppOptions, { listeners }: Mount): Owned[] {
  const owned: Owned[] = [];
  const owners = new Map<string, string>();
  for (const { name, errors, routes } of protocols) {
    for (const route of routes(context, listeners)) {
      if (!listeners.includes(route.listener)) continue;
      const key = `${route.method} ${route.path.replace(/\{\w+\}/g, '{}')}`;
      const owner = owners.get(key);
      if (owner !== undefined) throw new Error(`${key}: claimed by ${owner} and by ${name}`);
      owners.set(key, name);
      owned.push({ route, errors });
    }
  }
  return owned;
}

function refuse(errors: ErrorStyle, reason: NotFound, path: string): HttpReply {
  if ('badPath' in reason) {
    const shown = JSON.stringify(reason.badPath.slice(0, 60));
    return errors.fromStatus(400, `path: expected percent-encoded UTF-8, got ${shown}`, path);
  }
  if (reason.allow.length === 0) return errors.fromStatus(404, '', path);
  return { ...errors.fromStatus(405, '', path), headers: { allow: reason.allow.join(', ') } };
}

/**
 * A page of another site that a browser on this machine shows can send requests here, directly or by letting its
 * own name resolve to a loopback address. Both tell: by `origin`, and by `host`. One site may be let in by its name;
 * that of all sites, `*`, is none of an origin.
 */
function isFromHere({ host, origin }: HttpRequest, { corsAllowedOrigin }: Config): boolean {
  if (origin !== '' && origin !== corsAllowedOrigin) return false;
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return name === '' || name === 'localhost' || name === '[::1]' || /^127(\.\d+){3}$/.test(name);
}

function foreignMessage({ host, origin }: HttpRequest): string {
  const got = JSON.stringify((origin === '' ? host : origin).slice(0, 60));
  const field =
    origin === '' ? 'header host: expected a loopback address' : 'header origin: expected none';
  return `${field} on a management API that only this machine may use, got ${got}`;
}

interface Call {
  readonly request: HttpRequest;
  readonly params: readonly string[];
  readonly errors: ErrorStyle;
  readonly log: Log;
  readonly failures: Throttle;
}

function run(handle: Handler, call: Call): HttpReply | Promise<HttpReply> {
  const failed = (error: unknown) => fail(error, call);
  try {
    const reply = handle(call.request, call.params, failed);
    return reply instanceof Promise ? reply.then(undefined, failed) : reply;
  } catch (error) {
    return failed(error);
  }
}

/** Whatever is not the caller's fault is logged, and the same again only after a while; other requests go on. */
function fail(error: unknown, { request, params, errors, log, failures }: Call): HttpReply {
  const reply = errors.fromError(error);
  if (reply.status === 500) {
    const code = error instanceof InferenceError ? `${error.code} ` : '';
    const message = error instanceof Error ? error.message : String(error);
    const held = failures.pass(`${code}${params.join('/')} ${kindOf(message)}`);
    if (held === undefined) return reply;
    const { id, method, path } = request;
    const more = held === 0 ? {} : { alsoSinceLast: held };
    log.error({ event: 'request_failed', requestId: id, method, path, ...more, err: error });
  }
  return reply;
}
