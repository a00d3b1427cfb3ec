// SPDX-License-Identifier: Apache-2.0
// The operations that descriptors list: paths, names, parameters and statuses as MMS publishes them. Data only.
import type { ListenerName } from '../../route.js';

export interface Parameter {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean';
  readonly required?: boolean;
  /** As text, whatever the type. */
  readonly default?: string;
  readonly enum?: readonly string[];
  readonly about: string;
}

/** What an operation takes or gives beside errors. */
export type Content = 'binary' | 'upload' | 'document' | 'status' | 'models' | 'model' | 'text';

export interface Operation {
  readonly listeners: readonly ListenerName[];
  readonly path: string;
  readonly method: 'get' | 'post' | 'put' | 'delete' | 'options';
  readonly id: string;
  readonly about: string;
  readonly deprecated?: true;
  /** In addition to those in the path; where `noPath` is set, instead of them. */
  readonly query?: readonly Parameter[];
  readonly noPath?: true;
  readonly takes?: Content;
  readonly gives: Content;
  /** Those that `gives` is for come first, errors behind. */
  readonly statuses: readonly number[];
  readonly onlyTorchServe?: true;
}

const inference = ['inference'] as const;
const management = ['management'] as const;
const predictionStatuses = [200, 404, 500, 503];
const invocationStatuses = [200, 400, 404, 500, 503];

const modelName: Parameter = {
  name: 'model_name',
  type: 'string',
  about: 'The model; without it the only one that the server was started with.',
};

const listQuery: readonly Parameter[] = [
  { name: 'limit', type: 'integer', default: '100', about: 'Models on a page, 100 at most.' },
  {
    name: 'next_page_token',
    type: 'string',
    about: 'Where the page begins: nextPageToken of the one before.',
  },
  { name: 'model_name_pattern', type: 'string', about: 'Accepted without effect.' },
];

const registerQuery: readonly Parameter[] = [
  {
    name: 'model_url',
    type: 'string',
    required: true,
    about: 'Where the model lies; the same as url.',
  },
  {
    name: 'model_name',
    type: 'string',
    about: 'What it is served as, instead of the name it has.',
  },
  { name: 'handler', type: 'string', about: 'Accepted without effect: Python is never run.' },
  {
    name: 'runtime',
    type: 'string',
    enum: ['PYTHON', 'PYTHON2', 'PYTHON3'],
    about: 'Accepted without effect.',
  },
  { name: 'batch_size', type: 'integer', default: '1', about: 'Most rows of one run.' },
  {
    name: 'max_batch_delay',
    type: 'integer',
    default: '100',
    about: 'Milliseconds that a batch waits to fill.',
  },
  {
    name: 'response_timeout',
    type: 'integer',
    default: '2',
    about: 'How long a prediction may take.',
  },
  { name: 'initial_workers', type: 'integer', default: '0', about: 'Lanes that it begins with.' },
  {
    name: 'synchronous',
    type: 'boolean',
    default: 'false',
    about: 'Whether the answer waits for them.',
  },
  { name: 'preload_model', type: 'boolean', default: 'false', about: 'Accepted without effect.' },
];

const scaleQuery: readonly Parameter[] = [
  { name: 'min_worker', type: 'integer', default: '1', about: 'Lanes that it shall have.' },
  { name: 'max_worker', type: 'integer', default: '1', about: 'Not below min_worker.' },
  { name: 'number_gpu', type: 'integer', default: '0', about: 'Accepted without effect.' },
  {
    name: 'synchronous',
    type: 'boolean',
    default: 'false',
    about: 'Whether the answer waits for them.',
  },
  { name: 'timeout', type: 'integer', default: '-1', about: 'Accepted without effect.' },
];

const removeQuery: readonly Parameter[] = scaleQuery.filter(({ name }) =>
  ['synchronous', 'timeout'].includes(name),
);

const scale = {
  gives: 'status',
  query: scaleQuery,
  statuses: [200, 202, 210, 400, 404, 500],
} as const;
const remove = {
  gives: 'status',
  query: removeQuery,
  statuses: [200, 202, 404, 408, 500],
} as const;
const invoke = {
  listeners: inference,
  method: 'post',
  id: 'invocations',
  query: [modelName],
  noPath: true,
  takes: 'upload',
  gives: 'binary',
  statuses: invocationStatuses,
} as const;

/** @source  MMS API description: paths, methods, operationIds, parameters and statuses; the words are ours. */
export const operations: readonly Operation[] = [
  {
    listeners: ['inference', 'management', 'metrics'],
    path: '/',
    method: 'options',
    id: 'apiDescription',
    about: 'This description.',
    gives: 'document',
    statuses: [200, 500],
  },
  {
    listeners: inference,
    path: '/{model_name}/predict',
    method: 'post',
    id: 'predict',
    about: 'A prediction, as clients of 0.x ask for it.',
    deprecated: true,
    takes: 'binary',
    gives: 'binary',
    statuses: predictionStatuses,
  },
  {
    listeners: inference,
    path: '/ping',
    method: 'get',
    id: 'ping',
    about: 'Whether the server takes requests.',
    gives: 'status',
    statuses: [200, 500],
  },
  {
    listeners: inference,
    path: '/predictions/{model_name}',
    method: 'post',
    id: 'predictions',
    about: 'A prediction by the default version of a model.',
    takes: 'binary',
    gives: 'binary',
    statuses: predictionStatuses,
  },
  {
    listeners: inference,
    path: '/predictions/{model_name}',
    method: 'options',
    id: 'predictionsApi',
    about: 'A description of one model.',
    gives: 'document',
    statuses: [200],
  },
  {
    listeners: inference,
    path: '/predictions/{model_name}/{model_version}',
    method: 'post',
    id: 'versionPredictions',
    about: 'A prediction by one version of a model.',
    takes: 'binary',
    gives: 'binary',
    statuses: predictionStatuses,
    onlyTorchServe: true,
  },
  {
    listeners: inference,
    path: '/api-description',
    method: 'get',
    id: 'apiDescription',
    about: 'This description; OPTIONS / gives it as well.',
    deprecated: true,
    gives: 'document',
    statuses: [200, 500],
  },
  { ...invoke, path: '/invocations', about: 'A prediction, as SageMaker asks for it.' },
  { ...invoke, path: '/models/{model_name}/invoke', about: 'The same for one of several models.' },
  {
    listeners: management,
    path: '/models',
    method: 'get',
    id: 'listModels',
    about: 'The models by name.',
    query: listQuery,
    gives: 'models',
    statuses: [200, 500],
  },
  {
    listeners: management,
    path: '/models',
    method: 'post',
    id: 'registerModel',
    about: 'Registers a model.',
    query: registerQuery,
    gives: 'status',
    statuses: [200, 202, 210, 400, 404, 409, 500],
  },
  {
    listeners: management,
    path: '/models/{model_name}',
    method: 'get',
    id: 'describeModel',
    about: 'What is known about a model.',
    gives: 'model',
    statuses: [200, 500],
  },
  {
    ...scale,
    listeners: management,
    path: '/models/{model_name}',
    method: 'put',
    id: 'setAutoScale',
    about: 'Moves a model to more or fewer lanes.',
  },
  {
    ...remove,
    listeners: management,
    path: '/models/{model_name}',
    method: 'delete',
    id: 'unregisterModel',
    about: 'Removes a model when its accepted requests are answered.',
  },
  {
    listeners: management,
    path: '/models/{model_name}/{model_version}',
    method: 'get',
    id: 'describeModelVersion',
    about: 'What is known about one version.',
    gives: 'model',
    statuses: [200, 404, 500],
    onlyTorchServe: true,
  },
  {
    ...scale,
    listeners: management,
    path: '/models/{model_name}/{model_version}',
    method: 'put',
    id: 'setVersionAutoScale',
    about: 'Moves one version to more or fewer lanes.',
    onlyTorchServe: true,
  },
  {
    ...remove,
    listeners: management,
    path: '/models/{model_name}/{model_version}',
    method: 'delete',
    id: 'unregisterVersion',
    about: 'Removes one version.',
    onlyTorchServe: true,
  },
  {
    listeners: management,
    path: '/models/{model_name}/{model_version}/set-default',
    method: 'put',
    id: 'setDefault',
    about: 'Leads requests that name no version to this one.',
    gives: 'status',
    statuses: [200, 404, 500],
    onlyTorchServe: true,
  },
  {
    listeners: ['metrics'],
    path: '/metrics',
    method: 'get',
    id: 'metrics',
    about: 'Metrics in the text format of Prometheus.',
    gives: 'text',
    statuses: [200, 500],
  },
];
