// SPDX-License-Identifier: Apache-2.0
// Who may ask, judged by the headers alone, before a body is taken in: bearer tokens, and preflights of browsers.
import type { Config } from './config.js';
import { hasCors, isPreflight, preflightReply } from './cors.js';
import { headerOf } from './headers.js';
import type { Log } from './log.js';
import type { ErrorStyle, HttpReply, HttpRequest, ListenerName, Route } from './route.js';
import { openTokens, readTokenPaths, type Tokens } from './tokens.js';

/** The route that will take a request, and the errors of its protocol. */
export interface Candidate {
  readonly route: Route;
  readonly errors: ErrorStyle;
}

export interface Gate {
  /** Whether requests of an API need a token. */
  readonly isGuarded: (api: ListenerName) => boolean;
  /** Answers what is not let in. @param found  undefined where there is no route. */
  readonly admit: (request: HttpRequest, found?: Candidate) => HttpReply | undefined;
}

/**
 * @param apis  those that one listener serves.
 * @returns     undefined where everything is let in.
 * @throws      INFER_BAD_INPUT when a file has no tokens.
 */
export function createGate(
  config: Config,
  apis: readonly ListenerName[],
  log: Log,
): Gate | undefined {
  const paths = readTokenPaths(config.tokenFiles);
  const tokens = new Map<ListenerName, Tokens>();
  for (const api of apis) {
    const path = paths[api];
    if (path !== undefined) tokens.set(api, openTokens(path, log));
  }
  const answersPreflights = hasCors(config);
  if (!answersPreflights && tokens.size === 0) return undefined;
  const admit: Gate['admit'] = (request, found) => {
    if (answersPreflights && isPreflight(request)) return preflightReply;
    if (found === undefined || found.route.isOpen === true) return undefined;
    const given = headerOf(request, 'authorization');
    const accepted = tokens.get(found.route.listener)?.accept(given) ?? true;
    return accepted ? undefined : unauthorized(found.errors, given);
  };
  return { isGuarded: api => tokens.has(api), admit };
}

/** @source  RFC 6750 section 3: who sent no token is told the scheme alone. */
function unauthorized(errors: ErrorStyle, given: string): HttpReply {
  const realm = 'Bearer realm="inference-native"';
  const challenge = given === '' ? realm : `${realm}, error="invalid_token"`;
  return { ...errors.fromStatus(401, ''), headers: { 'www-authenticate': challenge } };
}
