// SPDX-License-Identifier: Apache-2.0
// The Open Inference Protocol (KServe V2, Triton) over HTTP: health, metadata, predictions.
import { createInflate } from '../../compression.js';
import type { Handler, HttpReply, Protocol, Route, ServerContext } from '../../route.js';
import { packageVersion } from '../../version.js';
import { absentRoutes } from './absent.js';
import { errors, jsonReply } from './errors.js';
import { infer } from './infer.js';
import { configOf, findReady, findServed, isReady, metadataOf } from './models.js';
import { repositoryRoutes } from './repository.js';
import { statisticsRoutes } from './statistics.js';
import { v1Routes } from './v1.js';

export const v2: Protocol = { name: 'v2', errors, routes: routesOf };

const listener = 'inference';
const model = '/v2/models/{model}';

/** What is only about predictions is answered by the thread that has the connection; all else by the main one. */
function routesOf(server: ServerContext): Route[] {
  const inflate = createInflate(server.config);
  const handle: Handler = (request, params) =>
    infer(server, { request, served: findServed(server, request, params), inflate });
  return [
    ...versioned('/infer').map((path): Route => ({ listener, method: 'POST', path, handle })),
    ...v1Routes(server),
    ...healthRoutes(server),
    ...statisticsRoutes(server), // before those of a model: none can be called "stats"
    ...modelRoutes(server),
    ...repositoryRoutes(server),
    ...absentRoutes,
  ];
}

/** The paths of something about a model, without and with a version. */
export function versioned(path: string): readonly string[] {
  return [`${model}${path}`, `${model}/versions/{version}${path}`];
}

/** What is done, and no more: clients look here before they ask. */
const extensions = [
  'classification',
  'model_repository',
  'model_configuration',
  'binary_tensor_data',
  'parameters',
  'statistics',
];

function healthRoutes(server: ServerContext): Route[] {
  const about = { name: 'inference-native', version: packageVersion(), extensions };
  const rows: readonly (readonly [string, () => HttpReply])[] = [
    ['/v2/health/live', () => live(server)],
    ['/v2/health/ready', () => ready(server)],
    ['/v2', () => jsonReply(200, about)],
    ['/v2/models', () => jsonReply(200, { models: namesOf(server) })],
  ];
  return rows.map(([path, handle]) => ({ listener, onMain: true, method: 'GET', path, handle }));
}

function live({ isDraining }: ServerContext): HttpReply {
  return jsonReply(isDraining() ? 503 : 200, { live: !isDraining() });
}

/** Every model that is meant to serve does; one that was unloaded on request is not meant to. */
function ready({ isDraining, registry }: ServerContext): HttpReply {
  const isWaiting = registry.list().some(own => own.maxWorkers > 0 && !isReady(own));
  const isUp = !isDraining();
  const value = { ready: isUp && !isWaiting, live: isUp };
  return jsonReply(value.ready ? 200 : 503, value);
}

function namesOf({ registry }: ServerContext): string[] {
  return [...new Set(registry.list().map(({ name }) => name))];
}

function modelRoutes({ registry }: ServerContext): Route[] {
  const metadata: Handler = (_, params) => {
    const found = findReady(registry, params);
    const all = registry.versions(found.name).filter(isReady);
    const versions = params.length > 1 ? [found.version] : all.map(({ version }) => version);
    return jsonReply(200, metadataOf(found, versions));
  };
  const isModelReady: Handler = (_, params) => {
    const { name } = findReady(registry, params);
    return jsonReply(200, { name, ready: true });
  };
  const config: Handler = (_, params) => jsonReply(200, configOf(findReady(registry, params)));
  const rows: readonly (readonly [string, Handler])[] = [
    ['', metadata],
    ['/ready', isModelReady],
    ['/config', config],
  ];
  return rows.flatMap(([path, handle]) =>
    versioned(path).map(
      (full): Route => ({ listener, onMain: true, method: 'GET', path: full, handle }),
    ),
  );
}
