// SPDX-License-Identifier: Apache-2.0
// Finds the route of a request among those of one listener, and says which methods its path has when there is none.
import type { ErrorStyle, HttpRequest, Route } from './route.js';

/** A route together with the errors of its protocol. */
export interface Owned {
  readonly route: Route;
  readonly errors: ErrorStyle;
}

interface Endpoint extends Owned {
  /** Of its path; undefined stands for a parameter. */
  readonly segments: readonly (string | undefined)[];
  /** Whether further segments may follow. */
  readonly isOpen: boolean;
}

/** By the number of segments that a path has; the last entry is for all that have more. */
export type Router = readonly (readonly Endpoint[])[];

export interface Found extends Owned {
  readonly params: readonly string[];
}

/** Why there is no route: `allow` lists the methods that the path does have. */
export type NotFound = { readonly allow: readonly string[] } | { readonly badPath: string };

/** @param routes  where several fit, the first is taken. */
export function createRouter(routes: readonly Owned[]): Router {
  const endpoints = routes.map(endpointOf);
  const most = Math.max(0, ...endpoints.map(({ segments }) => segments.length));
  return Array.from({ length: most + 2 }, (_, count) =>
    endpoints.filter(({ segments: { length }, isOpen }) => {
      return length === count || (isOpen && length < count);
    }),
  );
}

function endpointOf(owned: Owned): Endpoint {
  const { path } = owned.route;
  const isOpen = path.endsWith('/*');
  const segments = (isOpen ? path.slice(1, -2) : path.slice(1)).split('/');
  const pattern = segments.map(segment => (segment.startsWith('{') ? undefined : segment));
  return { ...owned, segments: pattern, isOpen };
}

export function findRoute(router: Router, { method, path }: HttpRequest): Found | NotFound {
  const segments = decodePath(path);
  if (segments === undefined) return { badPath: path };
  const wanted = method === 'HEAD' ? 'GET' : method;
  const allow = new Set<string>();
  const endpoints = router[Math.min(segments.length, router.length - 1)] ?? [];
  for (const { route, errors, segments: pattern } of endpoints) {
    const params = match(pattern, segments);
    if (params === undefined) continue;
    if (route.method === wanted || route.method === 'ANY') return { route, errors, params };
    allow.add(route.method);
    if (route.method === 'GET') allow.add('HEAD');
  }
  return { allow: [...allow] };
}

/** Cut first and decoded then, so that an encoded slash stays within its segment. Trailing slashes do not count. */
function decodePath(path: string): string[] | undefined {
  let end = path.length;
  while (end > 1 && path[end - 1] === '/') end--;
  const segments: string[] = []; // by hand: split() is a call into the runtime
  let start = 1;
  for (let at = path.indexOf('/', 1); at > 0 && at < end; at = path.indexOf('/', start)) {
    segments.push(path.slice(start, at));
    start = at + 1;
  }
  segments.push(path.slice(start, end));
  if (!path.includes('%')) return segments;
  try {
    return segments.map(decodeURIComponent);
  } catch {
    return undefined;
  }
}

/** @returns  the segments that stand where the pattern has parameters; those behind it do not count. */
function match(
  pattern: readonly (string | undefined)[],
  segments: readonly string[],
): string[] | undefined {
  const params: string[] = [];
  for (let index = 0; index < pattern.length; index++) {
    const segment = segments[index] ?? '';
    const literal = pattern[index];
    if (literal === segment) continue;
    if (literal !== undefined || segment === '') return undefined;
    params.push(segment);
  }
  return params;
}
