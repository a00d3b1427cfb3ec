// SPDX-License-Identifier: Apache-2.0
// OpenAPI descriptions: of the APIs of a listener, and of one model.
import { jsonReply } from '../../reply.js';
import type { Handler, ListenerName, Route, ServerContext } from '../../route.js';
import { errors } from './errors.js';
import { modelNotFound } from './known.js';
import { readName } from './names.js';
import { type Content, type Operation, operations, type Parameter } from './operations.js';
import { type Profile, profileOf } from './profile.js';

/** @param listeners  the APIs that are served together; the first has the routes. */
export function descriptorRoutes(
  server: ServerContext,
  listeners: readonly ListenerName[],
): Route[] {
  const [listener = 'inference'] = listeners;
  const profile = profileOf(server.config);
  const document = apiDescription(listeners, profile);
  const describeAll: Handler = () => jsonReply(200, document);
  const describeOne: Handler = (_, [name = '']) => jsonReply(200, oneModel(server, name));
  const describeInvoked: Handler = async request => {
    const { name } = await readName(server, request);
    return jsonReply(200, oneModel(server, name));
  };
  const none: Handler = () => ({ ...errors.fromStatus(405, ''), headers: { allow: '' } });
  const options = { listener: 'inference', method: 'OPTIONS' } as const;
  return [
    { listener, method: 'OPTIONS', path: '/', handle: describeAll },
    { listener, method: 'ANY', path: '/api-description', handle: describeAll },
    { listener, method: 'ANY', path: '/api-description/*', handle: none },
    { ...options, path: '/predictions/{model}/*', handle: describeOne },
    { ...options, path: '/invocations', handle: describeInvoked },
    { ...options, path: '/models/{model}/invoke', handle: describeOne },
    { ...options, path: '/{model}/predict', handle: describeOne },
  ];
}

/** @throws  INFER_MODEL_NOT_FOUND */
function oneModel(server: ServerContext, name: string): object {
  if (server.find(name) === 'no-model') throw modelNotFound(name);
  return modelDescription(name);
}

const head = { openapi: '3.0.1' };
const version = '1.0.0';

export function apiDescription(
  listeners: readonly ListenerName[],
  { title, isTorchServe }: Pick<Profile, 'title' | 'isTorchServe'>,
): object {
  const description = 'Predictions, models and metrics of this server.';
  const listed = operations.filter(
    ({ listeners: own, onlyTorchServe }) =>
      own.some(listener => listeners.includes(listener)) && (isTorchServe || !onlyTorchServe),
  );
  return { ...head, info: { title, description, version }, paths: pathsOf(listed) };
}

/** @source  MMS: the path has `prediction` in the singular. */
export function modelDescription(name: string): object {
  const post = {
    operationId: name,
    parameters: [],
    requestBody: { required: true, content: contentOf('binary') },
    responses: responsesOf({ gives: 'binary', statuses: [200, 500] }),
  };
  const info = { title: `RESTful API for: ${name}`, version };
  return { ...head, info, paths: { [`/prediction/${name}`]: { post } } };
}

/** What TorchServe tells of the management of one model. */
export function managementDescription(name: string): object {
  const path = '/models/{model_name}';
  const listed = operations.filter(operation => operation.path === path);
  const own = listed.map(operation => ({ ...operation, path: `/models/${name}` }));
  return { ...head, info: { title: `RESTful API for: ${name}`, version }, paths: pathsOf(own) };
}

function pathsOf(listed: readonly Operation[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of listed) {
    paths[operation.path] = { ...paths[operation.path], [operation.method]: describe(operation) };
  }
  return paths;
}

function describe(operation: Operation): object {
  const { path, id, about, deprecated, query = [], noPath, takes } = operation;
  const names = noPath ? [] : [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  const inPath = names.map(name => {
    return { in: 'path', name, required: true, schema: { type: 'string' } };
  });
  const body = takes && { requestBody: { required: true, content: contentOf(takes) } };
  return {
    description: about,
    operationId: id,
    ...(deprecated && { deprecated }),
    parameters: [...inPath, ...query.map(parameterOf)],
    ...body,
    responses: responsesOf(operation),
  };
}

function parameterOf({ name, type, required = false, about, ...rest }: Parameter): object {
  return { in: 'query', name, description: about, required, schema: { type, ...rest } };
}

function responsesOf({ gives, statuses }: Pick<Operation, 'gives' | 'statuses'>): object {
  const responses = statuses.map(status => {
    const isError = status >= 400;
    const content = isError ? contentOf('error') : contentOf(status === 200 ? gives : 'status');
    return [status, { description: isError ? 'The error' : 'The answer', content }];
  });
  return Object.fromEntries(responses);
}

const text = { type: 'string' };
const binary = { type: 'string', format: 'binary' };
const model = { type: 'object', properties: { modelName: text, modelUrl: text } };

function record(properties: Readonly<Record<string, object>>): object {
  return { type: 'object', required: Object.keys(properties), properties };
}

const schemas: Readonly<Record<Content | 'error', readonly [type: string, schema: object]>> = {
  binary: ['*/*', binary],
  upload: [
    'multipart/form-data',
    { type: 'object', required: ['data'], properties: { model_name: text, data: binary } },
  ],
  document: ['application/json', { type: 'object' }],
  status: ['application/json', record({ status: text })],
  models: ['application/json', record({ models: { type: 'array', items: model } })],
  model: ['application/json', { type: 'object' }],
  text: ['text/plain', text],
  error: ['application/json', record({ code: { type: 'integer' }, type: text, message: text })],
};

function contentOf(content: Content | 'error'): object {
  const [type, schema] = schemas[content];
  return { [type]: { schema } };
}
