// SPDX-License-Identifier: Apache-2.0
// The Multi Model Server API: health, predictions, and what the management port tells about models.
import { jsonReply } from '../../reply.js';
import type {
  Handler,
  HttpReply,
  HttpRequest,
  Protocol,
  Route,
  ServerContext,
} from '../../route.js';
import { errors } from './errors.js';
import { find, variantFor, variantHeader } from './lead.js';
import { managementRoutes } from './management.js';
import { predict } from './predict.js';

/** The predictions route also takes tensors in the form of V2, and answers in kind. */
export const mms: Protocol = { name: 'mms', errors, routes: routesOf };

function routesOf(server: ServerContext): Route[] {
  const { maxResponseBytes } = server.config;
  const ask = (request: HttpRequest, name: string, version?: string) => {
    return predict(server, { request, served: find(server, name, version), maxResponseBytes });
  };
  const handle: Handler = (request, [name = '', version], fail) => {
    const variant = version === undefined ? variantFor(server, name, request) : undefined;
    if (variant === undefined) return ask(request, name, version);
    return told(variant.name, fail, () => ask(request, name, variant.version));
  };
  const path = '/predictions/{model}';
  return [
    { listener: 'inference', method: 'GET', path: '/ping', handle: () => ping(server) },
    { listener: 'inference', method: 'POST', path, handle },
    { listener: 'inference', method: 'POST', path: `${path}/{version}`, handle },
    ...managementRoutes(server),
  ];
}

/** Unlike MMS, which says 200 whatever happens, so that a load balancer learns it from the status. */
function ping({ isDraining }: ServerContext): HttpReply {
  if (isDraining()) return jsonReply(503, { status: 'Unhealthy' });
  return jsonReply(200, { status: 'Healthy' });
}

/** The client learns which variant it was, also of one that failed. */
async function told(
  variant: string,
  fail: Parameters<Handler>[2],
  ask: () => HttpReply | Promise<HttpReply>,
): Promise<HttpReply> {
  let reply: HttpReply;
  try {
    reply = await ask();
  } catch (error) {
    reply = fail(error);
  }
  return { ...reply, headers: { ...reply.headers, [variantHeader]: variant } };
}
