// SPDX-License-Identifier: Apache-2.0
// The OpenAPI descriptions: what MMS lists for each listener, and what a model has.
import t from 'tap';
import { apiDescription, modelDescription } from '../../server/protocol/mms/descriptors.js';
import type { ListenerName } from '../../server/route.js';

const mms = { title: 'Model Server APIs', isTorchServe: false };
const torchserve = { title: 'TorchServe APIs', isTorchServe: true };

/** @source  MMS 1.1, OPTIONS / of each listener: path, operation, operationId, statuses; `!` is deprecated. */
const listed: Readonly<Record<string, readonly string[]>> = {
  inference: [
    '/ options apiDescription 200,500',
    '/{model_name}/predict post predict! 200,404,500,503',
    '/ping get ping 200,500',
    '/predictions/{model_name} post predictions 200,404,500,503',
    '/predictions/{model_name} options predictionsApi 200',
    '/api-description get apiDescription! 200,500',
    '/invocations post invocations 200,400,404,500,503',
    '/models/{model_name}/invoke post invocations 200,400,404,500,503',
  ],
  management: [
    '/ options apiDescription 200,500',
    '/models get listModels 200,500',
    '/models post registerModel 200,202,210,400,404,409,500',
    '/models/{model_name} get describeModel 200,500',
    '/models/{model_name} put setAutoScale 200,202,210,400,404,500',
    '/models/{model_name} delete unregisterModel 200,202,404,408,500',
  ],
};

/** @source  the same: parameters by operationId, with their defaults; `*` is required. */
const parameters: Readonly<Record<string, readonly string[]>> = {
  listModels: ['limit=100', 'next_page_token', 'model_name_pattern'],
  registerModel: [
    'model_url*',
    'model_name',
    'handler',
    'runtime',
    'batch_size=1',
    'max_batch_delay=100',
    'response_timeout=2',
    'initial_workers=0',
    'synchronous=false',
    'preload_model=false',
  ],
  describeModel: ['model_name*'],
  setAutoScale: [
    'model_name*',
    'min_worker=1',
    'max_worker=1',
    'number_gpu=0',
    'synchronous=false',
    'timeout=-1',
  ],
  unregisterModel: ['model_name*', 'synchronous=false', 'timeout=-1'],
  invocations: ['model_name'],
  predictions: ['model_name*'],
  ping: [],
};

interface Operation {
  readonly operationId: string;
  readonly deprecated?: boolean;
  readonly parameters: readonly {
    readonly name: string;
    readonly required: boolean;
    readonly schema: { readonly default?: string; readonly enum?: readonly string[] };
  }[];
  readonly responses: Readonly<Record<string, object>>;
}

interface Document {
  readonly openapi: string;
  readonly info: Readonly<Record<string, string>>;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

function describe(listeners: readonly ListenerName[], profile = mms): Document {
  return JSON.parse(JSON.stringify(apiDescription(listeners, profile)));
}

function operationsOf({ paths }: Document) {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
  );
}

for (const listener of ['inference', 'management'] as const) {
  t.test(`the description of the ${listener} API lists what that of MMS does`, async t => {
    const document = describe([listener]);
    t.match(document, { openapi: '3.0.1', info: { title: 'Model Server APIs', version: '1.0.0' } });
    const rows = operationsOf(document).map(
      ({ path, method, operationId, deprecated, responses }) => {
        return `${path} ${method} ${operationId}${deprecated ? '!' : ''} ${Object.keys(responses)}`;
      },
    );
    t.same(rows.sort(), [...(listed[listener] ?? [])].sort());
  });
}

t.test('parameters and their defaults are those of MMS', async t => {
  const operations = operationsOf(describe(['inference', 'management']));
  for (const [id, expected] of Object.entries(parameters)) {
    const found = operations.filter(({ operationId }) => operationId === id);
    t.not(found.length, 0, id);
    for (const operation of found) {
      const names = operation.parameters.map(({ name, required, schema }) => {
        const usual = schema.default === undefined ? '' : `=${schema.default}`;
        return `${name}${required ? '*' : ''}${usual}`;
      });
      t.same(names, expected, id);
    }
  }
});

t.test('one listener for all APIs has one description of all', async t => {
  const { paths } = describe(['inference', 'management', 'metrics']);
  t.same(Object.keys(paths).sort(), [
    '/',
    '/api-description',
    '/invocations',
    '/metrics',
    '/models',
    '/models/{model_name}',
    '/models/{model_name}/invoke',
    '/ping',
    '/predictions/{model_name}',
    '/{model_name}/predict',
  ]);
});

t.test('that of TorchServe has versions as well', async t => {
  const { info, paths } = describe(['management'], torchserve);
  t.equal(info['title'], 'TorchServe APIs');
  t.match(paths, { '/models/{model_name}/{model_version}/set-default': { put: {} } });
});

t.test('a model has a description of its own', async t => {
  const { info, paths } = JSON.parse(JSON.stringify(modelDescription('iris'))) as Document;
  t.same(info, { title: 'RESTful API for: iris', version: '1.0.0' });
  t.same(Object.keys(paths), ['/prediction/iris']);
  const { operationId, parameters, responses } = paths['/prediction/iris']?.['post'] ?? {};
  t.same({ operationId, parameters }, { operationId: 'iris', parameters: [] });
  t.same(Object.keys(responses ?? {}), ['200', '500']);
});
