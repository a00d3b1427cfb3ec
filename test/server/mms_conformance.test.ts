// SPDX-License-Identifier: Apache-2.0
// Multi Model Server's own tests, row by row, with a model of ours in place of theirs.
import t from 'tap';
import {
  classes,
  encoded,
  failed,
  makeStore,
  notAllowed,
  notFound,
  picture,
  type Row,
  tensor,
  testRows,
  upload,
  uploadWith,
} from './conformance.js';
import { bodyOf, openClient, rawPost } from './connections.js';
import { startServer } from './helpers.js';

const { store, remove } = await makeStore();
const server = await startServer({
  models: ['noop-v0.1', 'noop-v1.0'],
  args: ['--model-store', store, '--max-request-bytes', '10485760'],
});
t.teardown(async () => {
  await server.stop();
  await remove();
});

const json = 'application/json';
const management = { on: 'management' } as const;
const old = '/models/noop_v0.1';
const register = '/models?url=noop-v0.1&model_name=noop_v0.1&runtime=python';
const scaled = { status: 'Workers scaled' };
const python = 'the model is a Python handler, and Python is never run';
const elsewhere = (file: string) => `tested in ${file}`;

/** @source  MMS, frontend/server, ModelServerTest.java, in its order. */
const modelServerTest: readonly Row[] = [
  { row: '1', path: '/ping', status: 200, says: { status: 'Healthy' } },
  { row: '2', method: 'OPTIONS', path: '/', status: 200, says: { openapi: '3.0.1' } },
  {
    row: '2',
    ...management,
    method: 'OPTIONS',
    path: '/',
    status: 200,
    says: { paths: { '/models': {} } },
  },
  { row: '2', path: '/api-description', status: 200, says: { paths: { '/invocations': {} } } },
  {
    row: '3',
    method: 'OPTIONS',
    path: '/predictions/noop_v0.1',
    status: 200,
    says: { info: { title: 'RESTful API for: noop_v0.1' } },
  },
  {
    row: '4',
    ...management,
    method: 'DELETE',
    path: old,
    status: 200,
    says: { status: 'Model "noop_v0.1" unregistered' },
  },
  {
    row: '5',
    ...management,
    method: 'POST',
    path: `${register}&synchronous=false`,
    status: 200,
    says: { status: 'Model "noop_v0.1" registered' },
  },
  {
    row: '6',
    ...management,
    method: 'PUT',
    path: `${old}?synchronous=true&min_worker=1`,
    status: 200,
    says: scaled,
  },
  {
    row: '6',
    ...management,
    method: 'PUT',
    path: `${old}?min_worker=2`,
    status: 202,
    says: { status: 'Processing worker updates...' },
  },
  {
    row: '7',
    ...management,
    path: '/models?limit=200&nextPageToken=X',
    status: 200,
    says: { models: [{ modelName: 'noop' }, { modelName: 'noop_v0.1' }] },
  },
  { row: '8', ...management, path: old, status: 200, says: { workers: [{ status: 'READY' }, {}] } },
  { row: '9', ...management, method: 'DELETE', path: old, status: 200 },
  {
    row: '9',
    ...management,
    method: 'POST',
    path: `${register}&initial_workers=1&synchronous=true`,
    status: 200,
    says: scaled,
  },
  { row: '9', ...management, method: 'DELETE', path: old, status: 200 },
  {
    row: '9',
    ...management,
    path: '/models',
    type: json,
    body: "{'url':'noop-v0.1', 'model_name':'noop_v0.1', 'initial_workers':'1', 'synchronous':'true'}",
    status: 200,
    says: scaled,
  },
  {
    row: '10',
    path: '/predictions/noop',
    type: 'application/x-www-form-urlencoded',
    body: `data=${encoded}`,
    status: 200,
    says: classes,
  },
  {
    row: '10',
    path: '/predictions/noop',
    type: 'application/octet-stream',
    body: picture,
    status: 200,
    says: classes,
  },
  { row: '10', path: '/predictions/noop', type: json, body: tensor, status: 200 },
  { row: '11', path: '/invocations?model_name=noop', type: json, body: tensor, status: 200 },
  {
    row: '11',
    path: '/invocations',
    body: uploadWith('model_name', 'noop'),
    status: 200,
    says: classes,
  },
  { row: '12', path: '/models/noop/invoke', type: json, body: tensor, status: 200 },
  { row: '12', path: '/models/noop/invoke', body: upload, status: 200, says: classes },
  { row: '13', path: `/noop/predict?data=${encoded}`, status: 200, says: classes },
  { row: '14', because: 'takes one connection: tested below' },
  { row: '15', because: python },
  { row: '16', because: python },
  { row: '17', because: python },
  { row: '18', because: elsewhere('toolkit_conformance.test.ts') },
  { row: '19', because: 'log lines are JSON on standard error, not files of their own' },
  { row: '20', because: python },
  { row: '21', because: python },
  { row: '22', because: python },
  { row: '23', because: python },
  { row: '24', because: 'metrics are read at /metrics, and there are none of the host' },
  { row: '25', path: '/', status: 405, says: notAllowed },
  { row: '26', path: '/InvalidUrl', status: 404, says: notFound },
  { row: '26', ...management, path: '/InvalidUrl', status: 404, says: notFound },
  { row: '26', path: '/predictions', status: 404, says: notFound },
  ...(['OPTIONS', 'GET'] as const).map(
    (method): Row => ({
      row: '27',
      method,
      path: '/predictions/InvalidModel',
      status: 404,
      says: failed(404, 'ModelNotFoundException', 'Model not found: InvalidModel'),
    }),
  ),
  {
    row: '27',
    ...management,
    path: '/models/InvalidModel',
    status: 404,
    says: failed(404, 'ModelNotFoundException', 'Model not found: InvalidModel'),
  },
  { row: '28', ...management, method: 'PUT', path: '/models', status: 405, says: notAllowed },
  { row: '28', ...management, method: 'POST', path: '/models/noop', status: 405, says: notAllowed },
  {
    row: '29',
    ...management,
    method: 'POST',
    path: '/models',
    status: 400,
    says: failed(400, 'BadRequestException', 'Parameter url is required.'),
  },
  {
    row: '30',
    ...management,
    method: 'POST',
    path: '/models?url=InvalidUrl&runtime=InvalidRuntime',
    status: 400,
    says: failed(400, 'BadRequestException', 'Invalid RuntimeType value: InvalidRuntime'),
  },
  {
    row: '31',
    ...management,
    method: 'POST',
    path: '/models?url=InvalidUrl',
    status: 404,
    says: failed(404, 'ModelNotFoundException', 'Model not found in model store: InvalidUrl'),
  },
  {
    row: '32',
    ...management,
    method: 'POST',
    path: register,
    status: 409,
    says: failed(409, 'ConflictStatusException', 'Model noop_v0.1 is already registered.'),
  },
  {
    row: '33',
    ...management,
    method: 'POST',
    path: '/models?url=http%3A%2F%2Flocalhost%3Aaaaa',
    status: 404,
    says: failed(404, 'ModelNotFoundException', 'Invalid model url: http://localhost:aaaa'),
  },
  { row: '34', because: elsewhere('fetching.test.ts') },
  { row: '35', because: elsewhere('fetching.test.ts') },
  {
    row: '36',
    ...management,
    method: 'POST',
    path: '/models?url=..%2Ffake.mar',
    status: 404,
    says: failed(404, 'ModelNotFoundException', 'Relative path is not allowed in url: ../fake.mar'),
  },
  ...(['PUT', 'DELETE'] as const).map(
    (method): Row => ({
      row: '37',
      ...management,
      method,
      path: '/models/fake',
      status: 404,
      says: failed(404, 'ModelNotFoundException', 'Model not found: fake'),
    }),
  ),
  { row: '38', because: python },
  { row: '39', because: elsewhere('management.test.ts') },
  { row: '40', because: python },
];

const network = 'needs the network';
const net = '/models/squeezenet';
const registerNet = '/models?url=noop-v1.0&model_name=squeezenet';
const accepted = [200, 201, 202];

/** @source  MMS, test/postman: collections `management`, `inference` and `https`. */
const postman: readonly Row[] = [
  { row: 'register', ...management, method: 'POST', path: registerNet, status: 200 },
  {
    row: 'register with a worker',
    ...management,
    method: 'POST',
    path: '/models?url=noop-v1.0&model_name=resnet&initial_workers=1&synchronous=true',
    status: 200,
  },
  {
    row: 'register without waiting',
    ...management,
    method: 'POST',
    path: '/models?url=noop-v1.0&model_name=resnet2&synchronous=false',
    status: 200,
  },
  ...['/squeezenet', '', '?limit=1', '?limit=1&next_page_token=1', '?next_page_token=12'].map(
    (more): Row => ({
      row: 'list and describe',
      ...management,
      path: `/models${more}`,
      status: 200,
    }),
  ),
  ...[
    'min_worker=3',
    'min_worker=4&synchronous=true',
    'min_worker=6&number_gpu=1',
    'number_gpu=10',
    'min_worker=5&max_worker=5&synchronous=true',
    'min_worker=6&max_worker=6',
    'timeout=-1',
    'timeout=0',
  ].map(
    (query): Row => ({
      row: 'scale',
      ...management,
      method: 'PUT',
      path: `${net}?${query}`,
      status: accepted,
    }),
  ),
  {
    row: 'scale to more than the most',
    ...management,
    method: 'PUT',
    path: `${net}?min_worker=10&max_worker=9`,
    status: 400,
    says: failed(400, 'BadRequestException', 'max_worker cannot be less than min_worker.'),
  },
  {
    row: 'predict',
    path: '/predictions/squeezenet',
    type: 'image/png',
    body: picture,
    status: 200,
    says: classes,
  },
  ...[net, '/models/resnet', '/models/resnet2'].map(
    (path): Row => ({ row: 'unregister', ...management, method: 'DELETE', path, status: accepted }),
  ),
  { row: 'unregister again', ...management, method: 'DELETE', path: net, status: 404 },
  { row: 'describe what is gone', ...management, path: net, status: 404 },
  { row: 'register a missing S3 object', because: network },
  { row: '28 image models', because: 'their archives are MXNet models of a public store' },
  { row: 'https', because: 'the same requests on other listeners' },
];

testRows(t, server, modelServerTest);

t.test('14: a body that is too large leaves the connection for the next', async t => {
  const client = await openClient(server.inference);
  t.teardown(() => client.socket.destroy());
  const refused = await client.ask(rawPost('/predictions/noop', ' '.repeat(11_485_760)));
  t.match(refused, /^HTTP\/1\.1 413 /);
  const answer = await client.ask(rawPost('/predictions/noop', tensor.padEnd(10_385_760)));
  t.match(answer, /^HTTP\/1\.1 200 /);
  t.match(JSON.parse(bodyOf(answer)), { predictions: [Array] });
});

testRows(t, server, postman);
