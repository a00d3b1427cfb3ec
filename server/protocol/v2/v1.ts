// SPDX-License-Identifier: Apache-2.0
// KServe's first protocol: `{"instances": [...]}` in, `{"predictions": [...]}` out.
import type { HttpReply, HttpRequest, Route, ServerContext } from '../../route.js';
import type { Served } from '../../shelf.js';
import { errors, jsonReply } from './errors.js';
import { findServing, isServing, withModel } from './models.js';

const listener = 'inference';
const verb = ':predict';

export function v1Routes(server: ServerContext): Route[] {
  const { registry } = server;
  const path = '/v1/models/{model}';
  return [
    {
      listener,
      method: 'POST',
      path,
      handle: (request, [call = '']) => predict(server, request, call),
    },
    {
      listener,
      onMain: true,
      method: 'GET',
      path: '/v1/models',
      handle: () => {
        const names = registry
          .list()
          .filter(isServing)
          .map(({ name }) => name);
        return jsonReply(200, { models: [...new Set(names)] });
      },
    },
    {
      listener,
      onMain: true,
      method: 'GET',
      path,
      handle: (_, [name = '']) => {
        findServing(registry, [name]);
        return jsonReply(200, { name, ready: true });
      },
    },
  ];
}

/** @param call  the name of the model with what is asked of it, `iris:predict`. */
function predict(
  server: ServerContext,
  request: HttpRequest,
  call: string,
): HttpReply | Promise<HttpReply> {
  if (!call.endsWith(verb)) return errors.fromStatus(404, '');
  const params = [call.slice(0, -verb.length)];
  return withModel(server, { request, params }, served => run(server, request, served));
}

function run(
  { config: { maxResponseBytes } }: ServerContext,
  request: HttpRequest,
  served: Served,
): Promise<HttpReply> {
  const { signal, asksForTiming, body } = request;
  const options = {
    forms: ['instances'],
    signal,
    maxResponseBytes,
    timing: asksForTiming,
  } as const;
  served.hold();
  return served.model
    .predictJson(body, options)
    .then(({ body: text, timing }): HttpReply => {
      const reply = { status: 200, contentType: 'application/json', body: text };
      return timing === undefined ? reply : { ...reply, timing };
    })
    .finally(served.release);
}
