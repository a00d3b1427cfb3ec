// SPDX-License-Identifier: Apache-2.0
// TorchServe's own management tests, row by row, with a model of ours in place of theirs, and its texts.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { zipOf } from './archives.js';
import { failed, notFound, picture, type Row, testRows } from './conformance.js';
import { digits, startServer } from './helpers.js';

/** An archive as theirs are: a handler that comes with TorchServe, and the file of the model. */
async function archiveOf(modelName: string, modelVersion: string): Promise<Buffer> {
  const manifest = { model: { modelName, modelVersion, serializedFile: 'model.onnx' } };
  const files = ['model.onnx', 'model.json', 'labels.txt'];
  const {
    name: _,
    version: __,
    ...settings
  } = JSON.parse(await readFile(join(digits, 'model.json'), 'utf8'));
  const entries = files.map(async name => {
    const data =
      name === 'model.json' ? JSON.stringify(settings) : await readFile(join(digits, name));
    return { name, data };
  });
  const listed = { name: 'MAR-INF/MANIFEST.json', data: JSON.stringify(manifest) };
  return zipOf([listed, ...(await Promise.all(entries))]);
}

const archives: Readonly<Record<string, Buffer>> = {
  '/resnet-18.mar': await archiveOf('resnet-18', '1.0'),
  '/resnet-18-2.mar': await archiveOf('resnet-18', '2.0'),
};
const shop = createServer((request, response) => {
  const archive = archives[request.url ?? ''];
  response.writeHead(archive === undefined ? 404 : 200).end(archive);
});
shop.listen(0, '127.0.0.1');
await once(shop, 'listening');
const base = `http://127.0.0.1:${(shop.address() as AddressInfo).port}`;
const server = await startServer({
  models: [digits],
  args: ['--profile', 'torchserve', '--allowed-urls', 'http://127.*', '--model-store', digits],
});
t.teardown(() => {
  shop.close();
  return server.stop();
});

const management = { on: 'management' } as const;
const model = '/models/resnet-18';
const registerAs = (name: string, more = '') =>
  `/models?url=${base}/resnet-18.mar&model_name=${name}${more}`;
const post = { ...management, method: 'POST' } as const;
const put = { ...management, method: 'PUT' } as const;
const remove = { ...management, method: 'DELETE' } as const;
const python = 'the model is a Python handler, and Python is never run';
const processing = { status: 'Processing worker updates...' };
const noVersion = (version: string) =>
  failed(
    404,
    'ModelVersionNotFoundException',
    `Model version: ${version} does not exist for model: resnet-18`,
  );

/** @source  TorchServe, test/postman/management_data.json, with the texts of its handlers. */
const rows: readonly Row[] = [
  {
    row: 'register',
    ...post,
    path: `/models?url=${base}/resnet-18.mar`,
    status: 200,
    says: {
      status:
        'Model "resnet-18" Version: 1.0 registered with 0 initial workers. Use scale workers API to add workers for the model.',
    },
  },
  {
    row: 'register the same URL again',
    ...post,
    path: `/models?url=${base}/resnet-18.mar`,
    status: 500,
    says: failed(500, 'InternalServerException', 'Model file already exists resnet-18.mar'),
  },
  ...[
    'batch_size=dd',
    'max_batch_delay=junk',
    'initial_workers=-1',
    'synchronous=-1',
    'handler=nothing:here',
    'startup_timeout=0',
  ].flatMap((query): Row[] => [
    { row: `register with ${query}`, ...remove, path: model, status: 200 },
    {
      row: `register with ${query}`,
      ...post,
      path: registerAs('resnet-18', `&${query}`),
      status: 200,
    },
  ]),
  {
    row: 'register with workers but no time',
    ...post,
    path: '/models?url=model.onnx&model_name=slow&startup_timeout=0&initial_workers=3',
    status: 500,
    says: failed(
      500,
      'InternalServerException',
      'Failed to start workers for model slow version: null',
    ),
  },
  {
    row: 'register with a worker',
    ...post,
    path: '/models?url=model.onnx&model_name=one&model_version=3&initial_workers=1',
    status: 200,
    says: { status: 'Model "one" Version: 3 registered with 1 initial workers' },
  },
  {
    row: 'register what is registered',
    ...post,
    path: '/models?url=model.onnx&model_name=one&model_version=3',
    status: 409,
    says: failed(
      409,
      'ConflictStatusException',
      'Model version 3 is already registered for model one',
    ),
  },
  { row: 'unregister', ...remove, path: '/models/one/?synchronous=true', status: 200 },
  {
    row: 'register without url',
    ...post,
    path: '/models',
    status: 400,
    says: failed(400, 'BadRequestException', 'Parameter url is required.'),
  },
  {
    row: 'register an empty url',
    ...post,
    path: '/models?url=',
    status: 404,
    says: failed(404, 'ModelNotFoundException', 'empty url'),
  },
  {
    row: 'register a missing remote file',
    ...post,
    path: `/models?url=${base}/none.mar`,
    status: 400,
    says: failed(
      400,
      'DownloadArchiveException',
      `Failed to download archive from: ${base}/none.mar`,
    ),
  },
  {
    row: 'register a malformed URL',
    ...post,
    path: '/models?url=http%3A%2F%2Flocalhost%3Aaaaa',
    status: 400,
    says: failed(
      400,
      'DownloadArchiveException',
      'Failed to download archive from: http://localhost:aaaa',
    ),
  },
  {
    row: 'register a missing file',
    ...post,
    path: '/models?url=none.mar',
    status: 404,
    says: failed(404, 'ModelNotFoundException', 'Model not found at: none.mar'),
  },
  {
    row: 'register for an unknown runtime',
    ...post,
    path: `/models?url=${base}/resnet-18.mar&runtime=python4`,
    status: 400,
    says: failed(400, 'BadRequestException', 'Invalid RuntimeType value: python4'),
  },
  {
    row: 'register a second version',
    ...post,
    path: `/models?url=${base}/resnet-18-2.mar`,
    status: 200,
  },
  {
    row: 'describe',
    ...management,
    path: model,
    status: 200,
    says: [
      { modelName: 'resnet-18', modelVersion: '1.0', stateful: false, workers: { length: 0 } },
    ],
  },
  {
    row: 'describe all',
    ...management,
    path: `${model}/all`,
    status: 200,
    says: [{ modelVersion: '1.0' }, { modelVersion: '2.0' }],
  },
  {
    row: 'describe a version',
    ...management,
    path: `${model}/2.0`,
    status: 200,
    says: [{ modelVersion: '2.0' }],
  },
  { row: 'describe no model', ...management, path: '/models/none', status: 404 },
  {
    row: 'describe no version',
    ...management,
    path: `${model}/9`,
    status: 404,
    says: noVersion('9'),
  },
  {
    row: 'OPTIONS of a model',
    ...management,
    method: 'OPTIONS',
    path: model,
    status: 200,
    says: { paths: { '/models/resnet-18': { put: { operationId: 'setAutoScale' } } } },
  },
  ...['', '?limit=', '?limit=-1', '?limit=1', '?next_page_token=-1', '?next_page_token=12'].map(
    (query): Row => ({ row: 'list', ...management, path: `/models${query}`, status: 200 }),
  ),
  {
    row: 'predict without workers',
    path: '/predictions/resnet-18',
    type: 'image/png',
    body: picture,
    status: 503,
    says: failed(
      503,
      'ServiceUnavailableException',
      /^Model "resnet-18" has no worker to serve inference request\. Please use scale workers API to add workers\./,
    ),
  },
  {
    row: 'predict by a version without workers',
    path: '/predictions/resnet-18/2.0',
    type: 'image/png',
    body: picture,
    status: 503,
    says: { message: /^Model "resnet-18" Version 2\.0" has no worker/ },
  },
  ...[
    '',
    '?min_worker=junk&max_worker=junk',
    '?synchronous=junk',
    '?min_worker=0',
    '?number_gpu=-1',
    '?min_worker=1',
  ].map(
    (query): Row => ({ row: 'scale', ...put, path: model + query, status: 202, says: processing }),
  ),
  {
    row: 'scale and wait',
    ...put,
    path: `${model}?min_worker=2&synchronous=true`,
    status: 200,
    says: { status: 'Workers scaled to 2 for model: resnet-18' },
  },
  {
    row: 'scale a version and wait',
    ...put,
    path: `${model}/2.0?min_worker=1&synchronous=true`,
    status: 200,
    says: { status: 'Workers scaled to 1 for model: resnet-18, version: 2.0' },
  },
  {
    row: 'describe workers',
    ...management,
    path: model,
    status: 200,
    says: [
      {
        minWorkers: 2,
        workers: [{ status: 'READY', pid: Number, gpuUsage: 'N/A' }, {}],
        jobQueueStatus: { remainingCapacity: Number, pendingRequests: 0 },
      },
    ],
  },
  { row: 'scale no version', ...put, path: `${model}/9`, status: 404, says: noVersion('9') },
  { row: 'scale no model', ...put, path: '/models/none', status: 404 },
  { row: 'scale beyond the most', ...put, path: `${model}?min_worker=2&max_worker=1`, status: 400 },
  { row: 'scale to a negative most', ...put, path: `${model}?max_worker=-1`, status: 400 },
  { row: 'scale to a negative least', ...put, path: `${model}?min_worker=-1`, status: 500 },
  { row: 'scale an invalid handler', because: python },
  ...[
    '/predictions/resnet-18',
    '/predictions/resnet-18/2.0',
    '/predictions/resnet-18/2.0/a/b',
    '/resnet-18/predict',
    '/resnet-18/2.0/predict',
    '/models/resnet-18/invoke',
  ].map(
    (path): Row => ({
      row: 'predict',
      path,
      type: 'image/png',
      body: picture,
      status: 200,
      says: { 7: Number },
    }),
  ),
  {
    row: 'predict by no version',
    path: '/predictions/resnet-18/9',
    body: picture,
    status: 404,
    says: noVersion('9'),
  },
  {
    row: 'explain',
    path: '/explanations/resnet-18',
    body: picture,
    status: 501,
    says: failed(501, 'NotImplementedException', /Python/),
  },
  {
    row: 'explain by a version',
    path: '/explanations/resnet-18/2.0/more',
    body: picture,
    status: 501,
  },
  { row: 'explain no model', path: '/explanations/none', body: picture, status: 404 },
  { row: 'KServe v1 and v2', because: 'another protocol, with tests of its own' },
  {
    row: 'invoke with nothing of that name',
    path: '/models/alexnet/invoke',
    body: picture,
    status: 404,
  },
  { row: 'set the default', ...put, path: `${model}/2.0/set-default`, status: 200 },
  {
    row: 'set no version as default',
    ...put,
    path: `${model}/9/set-default`,
    status: 404,
    says: { message: 'Model version 9 does not exist for model resnet-18' },
  },
  { row: 'set the default of no model', ...put, path: '/models/none/1.0/set-default', status: 404 },
  {
    row: 'unregister the default',
    ...remove,
    path: model,
    status: 403,
    says: failed(
      403,
      'InvalidModelVersionException',
      'Cannot remove default version for model resnet-18',
    ),
  },
  { row: 'unregister no version', ...remove, path: `${model}/9`, status: 404 },
  { row: 'unregister a version', ...remove, path: `${model}/1.0?timeout=true`, status: 200 },
  { row: 'unregister', ...remove, path: model, status: 200 },
  { row: 'unregister no model', ...remove, path: model, status: 404 },
  { row: 'no such path', path: '/wfpredict/x/y', status: 404, says: notFound },
  ...(['inference', 'management'] as const).map(
    (on): Row => ({
      row: 'OPTIONS /',
      ...(on === 'management' ? management : {}),
      method: 'OPTIONS',
      path: '/',
      status: 200,
      says: { info: { title: 'TorchServe APIs' } },
    }),
  ),
  {
    row: 'tokens and the switch of the model API',
    because: 'both are off in the tests of these rows',
  },
];

testRows(t, server, rows);
