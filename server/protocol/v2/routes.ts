// SPDX-License-Identifier: Apache-2.0
// The Open Inference Protocol (KServe V2, Triton) over HTTP: health, metadata, predictions.
import { createInflate } from '../../compression.js';
import type { Handler, HttpReply, Protocol, Route, ServerContext } from '../../route.js';
import { packageVersion } from '../../version.js';
import { absentRoutes } from './absent.js';
import { errors, jsonReply } from './errors.js';
import { infer } from './infer.js';
import { configOf, findServing, isServing, metadataOf, withModel, withReady } from './models.js';
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
    withModel(server, { request, params }, served => infer(server, { request, served, inflate }));
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
  const get = { listener, onMain: true, method: 'GET' } as const;
  return [
    { ...get, path: '/v2/health/live', isOpen: true, handle: () => live(server) },
    { ...get, path: '/v2/health/ready', isOpen: true, handle: () => ready(server) },
    { ...get, path: '/v2', handle: () => jsonReply(200, about) },
    { ...get, path: '/v2/models', handle: () => jsonReply(200, { models: namesOf(server) }) },
  ];
}

function live({ isDraining }: ServerContext): HttpReply {
  return jsonReply(isDraining() ? 503 : 200, { live: !isDraining() });
}

/** Every model that is meant to serve does; one that was unloaded on request is not meant to. */
function ready({ isReady, isDraining, registry }: ServerContext): HttpReply {
  const isWaiting = registry.list().some(own => own.maxWorkers > 0 && !isServing(own));
  const value = { ready: isReady() && !isWaiting, live: !isDraining() };
  return jsonReply(value.ready ? 200 : 503, value);
}

function namesOf({ registry }: ServerContext): string[] {
  return [...new Set(registry.list().map(({ name }) => name))];
}

function modelRoutes(server: ServerContext): Route[] {
  const { registry } = server;
  const metadata: Handler = (_, params) =>
    withReady(server, params, found => {
      const all = registry.versions(found.name).filter(isServing);
      const versions = params.length > 1 ? [found.version] : all.map(({ version }) => version);
      return jsonReply(200, metadataOf(found, versions));
    });
  const isModelReady: Handler = (_, params) => {
    const { name } = findServing(registry, params);
    return jsonReply(200, { name, ready: true });
  };
  const config: Handler = (_, params) =>
    withReady(server, params, found => jsonReply(200, configOf(found)));
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
