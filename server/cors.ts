// SPDX-License-Identifier: Apache-2.0
// What lets pages of other sites read answers: headers on every one of them, and the answer to what browsers ask first.
import type { Config } from './config.js';
import { headerOf } from './headers.js';
import type { HttpReply, HttpRequest } from './route.js';

export type CorsSettings = Partial<
  Pick<Config, 'corsAllowedOrigin' | 'corsAllowedMethods' | 'corsAllowedHeaders'>
>;

/** @source  MMS: each header is the text of its setting, and there without the others; the origin is not looked at. */
export function corsLines(settings: CorsSettings): readonly string[] {
  const lines = [
    ['access-control-allow-origin', settings.corsAllowedOrigin],
    ['access-control-allow-methods', settings.corsAllowedMethods],
    ['access-control-allow-headers', settings.corsAllowedHeaders],
  ] as const;
  return lines.flatMap(([name, value = '']) => (value === '' ? [] : [`${name}: ${value}`]));
}

export function hasCors(settings: CorsSettings): boolean {
  return corsLines(settings).length > 0;
}

/** @source  Fetch standard, "CORS-preflight request". */
export function isPreflight(request: HttpRequest): boolean {
  return (
    request.method === 'OPTIONS' &&
    request.origin !== '' &&
    headerOf(request, 'access-control-request-method') !== ''
  );
}

/** The headers that all answers have say the rest; nothing is asked of tokens, which browsers do not send here. */
export const preflightReply: HttpReply = { status: 200, contentType: 'text/plain', body: '' };
