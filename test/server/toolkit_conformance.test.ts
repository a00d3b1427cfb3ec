// SPDX-License-Identifier: Apache-2.0
// The multi-model test of the SageMaker inference toolkit, row by row, with a model of ours in place of theirs.
import t from 'tap';
import { classes, makeStore, picture, type Row, tensor, testRows } from './conformance.js';
import { startServer } from './helpers.js';

const { store, remove } = await makeStore();
const server = await startServer({ args: ['--model-store', '/', '--default-workers', '1'] });
t.teardown(async () => {
  await server.stop();
  await remove();
});

const json = 'application/json';
const management = { on: 'management' } as const;
const scaled = { status: 'Workers scaled' };
const shipped = ['iris', 'digits'];
const load = (name: string, url: string) => JSON.stringify({ model_name: name, url });

/** @source  SageMaker inference toolkit, test/integration/local/test_mxnet_multi_model.py. */
const toolkit: readonly Row[] = [
  ...shipped.map(
    (name): Row => ({
      row: 'start with none',
      ...management,
      method: 'DELETE',
      path: `/models/${name}`,
      status: 200,
    }),
  ),
  { row: 'ping', path: '/ping', status: 200 },
  {
    row: 'an empty list',
    ...management,
    path: '/models',
    status: 200,
    says: { models: { length: 0 } },
  },
  ...(['noop-v1.0', 'noop-v0.1'] as const).map(
    (folder): Row => ({
      row: 'load',
      ...management,
      path: '/models',
      type: json,
      body: load(folder, `${store}/${folder}`),
      status: 200,
      says: scaled,
    }),
  ),
  {
    row: 'list',
    ...management,
    path: '/models',
    status: 200,
    says: {
      models: [
        { modelName: 'noop-v0.1', modelUrl: `${store}/noop-v0.1` },
        { modelName: 'noop-v1.0', modelUrl: `${store}/noop-v1.0` },
      ],
    },
  },
  { row: 'MMS 18', ...management, path: '/models/noop-v1.0', status: 200, says: { minWorkers: 1 } },
  {
    row: 'load what is loaded',
    ...management,
    path: '/models',
    type: json,
    body: load('noop-v1.0', `${store}/noop-v1.0`),
    status: 409,
  },
  {
    row: 'invoke',
    path: '/models/noop-v1.0/invoke',
    type: 'image/png',
    body: picture,
    status: 200,
    says: classes,
  },
  {
    row: 'unload',
    ...management,
    method: 'DELETE',
    path: '/models/noop-v1.0',
    status: 200,
    says: { status: 'Model "noop-v1.0" unregistered' },
  },
  { row: 'unload again', ...management, method: 'DELETE', path: '/models/noop-v1.0', status: 404 },
  { row: 'invoke what is gone', path: '/models/noop-v1.0/invoke', body: tensor, status: 404 },
  {
    row: 'load what is not there',
    ...management,
    path: '/models',
    type: json,
    body: load('banana', '/banana'),
    status: 404,
  },
];

testRows(t, server, toolkit);
