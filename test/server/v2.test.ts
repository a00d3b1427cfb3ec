// SPDX-License-Identifier: Apache-2.0
// The Open Inference Protocol over real sockets: health, metadata, predictions, and how requests are refused.
import t, { type Test } from 'tap';
import { fixture } from '../helpers.js';
import { call, iris, type Reply, startServer } from './helpers.js';
import { post, readAnswer, type WireTensor, wireBody } from './v2_wire.js';

const server = await startServer({
  models: [iris, ...['two_inputs', 'scalar', 'spin'].map(name => fixture(`${name}.onnx`))],
  args: ['--max-request-bytes', '100000'],
});
t.teardown(server.stop);
const url = server.inference;
const features: WireTensor = {
  name: 'features',
  datatype: 'FP32',
  shape: [1, 4],
  data: [5.1, 3.5, 1.4, 0.2],
};

function isJson(t: Test, { headers }: Reply): void {
  t.equal(headers['content-type'], 'application/json');
  t.equal(headers['content-encoding'], undefined);
}

const documents: readonly { readonly path: string; readonly value: object }[] = [
  { path: '/v2/health/live', value: { live: true } },
  { path: '/v2/health/ready', value: { ready: true, live: true } },
  {
    path: '/v2/',
    value: {
      name: 'inference-native',
      version: '0.1.0',
      extensions: [
        'classification',
        'model_repository',
        'model_configuration',
        'binary_tensor_data',
        'parameters',
        'statistics',
      ],
    },
  },
  { path: '/v2/models', value: { models: ['iris', 'scalar', 'spin', 'two_inputs'] } },
  {
    path: '/v2/models/two_inputs',
    value: {
      name: 'two_inputs',
      versions: ['1'],
      platform: 'onnxruntime_onnx',
      inputs: [
        { name: 'a', datatype: 'FP32', shape: [-1, 2] },
        { name: 'b', datatype: 'INT64', shape: [-1, 3] },
      ],
      outputs: [
        { name: 'sum', datatype: 'FP32', shape: [-1, 1] },
        { name: 'scaled', datatype: 'FP32', shape: [-1, 2] },
      ],
    },
  },
  { path: '/v2/models/iris/versions/1/ready', value: { name: 'iris', ready: true } },
  { path: '/v2/models/iris/ready?x=1', value: { name: 'iris', ready: true } },
  { path: '/v2/systemsharedmemory/status', value: [] },
  { path: '/v2/cudasharedmemory/region/r/status', value: [] },
  { path: '/v1/models', value: { models: ['iris', 'scalar', 'spin', 'two_inputs'] } },
  { path: '/v1/models/iris', value: { name: 'iris', ready: true } },
];

for (const { path, value } of documents) {
  t.test(`GET ${path}`, async t => {
    // As aiohttp asks for everything, and cannot read what is compressed.
    const reply = await call(url + path, { headers: { 'accept-encoding': 'gzip, deflate' } });
    t.equal(reply.status, 200, reply.text);
    t.strictSame(JSON.parse(reply.text), value);
    isJson(t, reply);
  });
}

t.test('the configuration leaves the axis of rows out, and its numbers are numbers', async t => {
  const config = JSON.parse((await call(`${url}/v2/models/two_inputs/config`)).text);
  t.match(config, {
    name: 'two_inputs',
    platform: 'onnxruntime_onnx',
    backend: 'onnxruntime',
    max_batch_size: 32,
    input: [
      { name: 'a', data_type: 'TYPE_FP32', dims: [2], optional: false },
      { name: 'b', data_type: 'TYPE_INT64', dims: [3], optional: false },
    ],
    output: [
      { name: 'sum', data_type: 'TYPE_FP32', dims: [1], label_filename: '' },
      { name: 'scaled', data_type: 'TYPE_FP32', dims: [2] },
    ],
    dynamic_batching: { preferred_batch_size: [32], max_queue_delay_microseconds: 0 },
    instance_group: [{ kind: 'KIND_CPU', count: Number }],
    default_model_filename: 'two_inputs.onnx',
  });
  const scalar = JSON.parse((await call(`${url}/v2/models/scalar/config`)).text);
  t.match(scalar, { max_batch_size: 0, input: [{ dims: [] }], dynamic_batching: undefined });
});

t.test('a prediction answers with names, its id and the outputs that were asked for', async t => {
  const inputs: WireTensor[] = [
    { name: 'b', datatype: 'INT64', shape: [1, 3], data: [1, 2, 3] },
    { name: 'a', datatype: 'FP32', shape: [1, 2], data: [[0.5, 1]] },
  ];
  const rest = {
    id: 'a1',
    model_name: 'two_inputs',
    parameters: { sequence_id: 5, priority: 2, timeout: 10_000_000, x: 1.5 },
    outputs: [{ name: 'scaled', parameters: { binary_data: false } }],
  };
  const reply = await post(`${url}/v2/models/two_inputs/versions/1/infer`, wireBody(inputs, rest));
  t.strictSame(JSON.parse(reply.text), {
    model_name: 'two_inputs',
    model_version: '1',
    id: 'a1',
    outputs: [{ name: 'scaled', datatype: 'FP32', shape: [1, 2], data: [1, 2] }],
  });
  isJson(t, reply);
});

t.test('all outputs come without a list of them, and classes by name', async t => {
  const all = await post(`${url}/v2/models/iris/infer`, wireBody([features]));
  const { json } = readAnswer(all, all.body);
  t.match(json.outputs, [{ name: 'probabilities', shape: [1, 3], data: [Number, Number, Number] }]);
  const outputs = [{ name: 'probabilities', parameters: { classification: 2 } }];
  const best = await post(`${url}/v2/models/iris/infer`, wireBody([features], { outputs }));
  t.match(readAnswer(best, best.body).json.outputs, [
    { datatype: 'BYTES', shape: [1, 2], data: [/^0\.999\d{3}:0:setosa$/, /^0\.000\d{3}:1:versi/] },
  ]);
});

t.test('the first protocol of KServe has instances and predictions', async t => {
  const instances = [[5.1, 3.5, 1.4, 0.2]];
  const body = JSON.stringify({ instances });
  const { status, text } = await call(`${url}/v1/models/iris:predict`, { body });
  t.equal(status, 200, text);
  t.match(JSON.parse(text), { predictions: [[Number, Number, Number]] });
});

interface Refused {
  readonly name: string;
  readonly path: string;
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status: number;
  readonly says: RegExp;
}

const infer = '/v2/models/iris/infer';
const good = JSON.stringify({ inputs: [features] });
const refused: readonly Refused[] = [
  { name: 'an unknown path', path: '/v2/nothing', status: 404, says: /^Not Found$/ },
  { name: 'an unknown path of KServe', path: '/v1/nothing', status: 404, says: /^Not Found$/ },
  {
    name: 'another verb of KServe',
    path: '/v1/models/iris:explain',
    body: '{}',
    status: 404,
    says: /^Not Found$/,
  },
  { name: 'a wrong method', path: infer, status: 405, says: /^Method Not Allowed$/ },
  {
    name: 'a body that is too large',
    path: infer,
    body: ' '.repeat(100_001),
    status: 413,
    says: /at most 100000 bytes/,
  },
  {
    name: 'an unknown model',
    path: '/v2/models/m/infer',
    body: good,
    status: 404,
    says: /^Request for unknown model: 'm' is not found$/,
  },
  {
    name: 'an unknown version',
    path: '/v2/models/iris/versions/3/infer',
    body: good,
    status: 404,
    says: /^Request for unknown model: 'iris' version 3 is not found$/,
  },
  {
    name: 'the metadata of an unknown model',
    path: '/v2/models/m',
    status: 404,
    says: /Request for unknown model: 'm' is not found/,
  },
  {
    name: 'the readiness of an unknown version',
    path: '/v2/models/iris/versions/x/ready',
    status: 404,
    says: /Request for unknown model: 'iris' version x is not found/,
  },
  {
    name: 'statistics of an unknown model',
    path: '/v2/models/m/stats',
    status: 400,
    says: /^requested model 'm' is not available$/,
  },
  {
    name: 'statistics of an unknown version',
    path: '/v2/models/iris/versions/7/stats',
    status: 400,
    says: /^requested model version is not available for model 'iris'$/,
  },
  { name: 'no JSON', path: infer, body: '{', status: 400, says: /^body: expected JSON/ },
  {
    name: 'a wrong type',
    path: infer,
    body: good.replace('FP32', 'INT8'),
    status: 400,
    says: /inference input 'features' data-type is 'INT8', but model 'iris' expects 'FP32'/,
  },
  {
    name: 'shared memory',
    path: infer,
    body: JSON.stringify({
      inputs: [{ ...features, data: undefined, parameters: { shared_memory_region: 'r' } }],
    }),
    status: 404,
    says: /^Unable to find shared memory region: 'r'$/,
  },
  {
    name: 'registering shared memory',
    path: '/v2/systemsharedmemory/region/r/register',
    body: '{}',
    status: 501,
    says: /^Client shared memory is disabled\./,
  },
  {
    name: 'trace settings',
    path: '/v2/models/iris/trace/setting',
    status: 503,
    says: /^the server does not support tracing$/,
  },
  {
    name: 'log settings',
    path: '/v2/logging',
    body: '{}',
    status: 503,
    says: /^the server does not support dynamic logging$/,
  },
  {
    name: 'loading, where it is not allowed',
    path: '/v2/repository/models/iris/load',
    body: '{}',
    status: 503,
    says: /^explicit model load \/ unload is not allowed if polling is enabled/,
  },
  {
    name: 'a repository by name',
    path: '/v2/repository/r/models/iris/unload',
    body: '{}',
    status: 501,
    says: /^'repository_name' specification is not supported$/,
  },
  {
    name: 'an index of neither',
    path: '/v2/repository/index',
    body: '{"ready":1}',
    status: 400,
    says: /^ready: expected true or false, got 1$/,
  },
  {
    name: 'a deep index',
    path: '/v2/repository/index',
    body: '['.repeat(50_000),
    status: 400,
    says: /^body: expected at most 100 levels of nesting/,
  },
  {
    name: 'an index with a text without end',
    path: '/v2/repository/index',
    body: `"${'\\"'.repeat(45_000)}`, // by an expression that goes back it takes a second
    status: 400,
    says: /^body: expected a JSON object/,
  },
  {
    name: 'another compression',
    path: infer,
    body: good,
    headers: { 'content-encoding': 'br' },
    status: 415,
    says: /^Unsupported compression type$/,
  },
  {
    name: 'two compressions',
    path: infer,
    body: good,
    headers: { 'content-encoding': 'gzip, gzip' },
    status: 415,
    says: /^Unsupported compression type$/,
  },
  {
    name: 'what is not compressed',
    path: infer,
    body: good,
    headers: { 'content-encoding': 'gzip' },
    status: 400,
    says: /^body: expected what gzip or zlib has compressed/,
  },
  {
    name: 'a length that is no number',
    path: infer,
    body: good,
    headers: { 'Inference-Header-Content-Length': 'abc' },
    status: 400,
    says: /^Unable to parse Inference-Header-Content-Length, got: "abc"$/,
  },
  {
    name: 'a length beyond the body',
    path: infer,
    body: good,
    headers: { 'inference-header-content-length': '9999' },
    status: 400,
    says: /^inference header size should be in range \(0, \d+\), got: 9999$/,
  },
  {
    name: 'a negative length',
    path: infer,
    body: good,
    headers: { 'inference-header-content-length': '-1' },
    status: 400,
    says: /^inference header size should be in range \(0, \d+\), got: -1$/,
  },
  ...[
    '../x',
    '%2e%2e%2fx',
    'a%2Fb',
    '%00',
    '%20',
    ';id',
    'constructor',
    '__proto__',
    'x'.repeat(8000),
  ].map(
    (name): Refused => ({
      name: `the model ${name.slice(0, 20)}`,
      path: `/v2/models/${name}/infer`,
      body: good,
      status: 404,
      says: /^(Request for unknown model: '.{1,128}' is not found|Not Found)$/s,
    }),
  ),
];

for (const { name, path, method, body = '', headers = {}, status, says } of refused) {
  t.test(`${name} is refused`, async t => {
    const options = { ...(method === undefined ? {} : { method }), headers, body };
    const reply = await call(url + path, options);
    t.equal(reply.status, status, reply.text.slice(0, 300));
    const { error, ...others } = JSON.parse(reply.text);
    t.match(error, says);
    t.strictSame(others, {});
    isJson(t, reply);
    t.equal(reply.headers['retry-after'] !== undefined, status === 503);
    const next = await post(url + infer, wireBody([features]));
    t.equal(next.status, 200, 'the next good request succeeds');
  });
}

t.test('a timeout of the request ends its waiting', async t => {
  const spin = (turns: number, parameters = {}) =>
    post(
      `${url}/v2/models/spin/infer`,
      wireBody(
        [
          { name: 'x', datatype: 'FP32', shape: [1, 64], data: new Array(64).fill(1) },
          { name: 'iterations', datatype: 'INT64', shape: [], data: [turns] },
        ],
        { parameters },
      ),
    );
  const reply = await spin(1e9, { timeout: 20_000 });
  t.equal(reply.status, 503, reply.text);
  t.match(JSON.parse(reply.text).error, /^Request timeout expired: /);
  t.equal((await spin(2)).status, 200, 'the next one');
});

t.test('taking back shared memory that never was succeeds', async t => {
  for (const kind of ['systemsharedmemory', 'cudasharedmemory']) {
    const reply = await call(`${url}/v2/${kind}/unregister`, { method: 'POST' });
    t.equal(reply.status, 200, kind);
  }
});
