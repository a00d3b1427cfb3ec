// SPDX-License-Identifier: Apache-2.0
// Loading, unloading and counting models by the extensions of the Open Inference Protocol, on two HTTP threads.
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { fixture, until } from '../helpers.js';
import { call, iris, metric, postJson, startServer } from './helpers.js';
import { post, wireBody } from './v2_wire.js';

const store = await mkdtemp(join(tmpdir(), 'v2-store-'));
t.teardown(() => rm(store, { recursive: true }));
await cp(iris, join(store, 'flowers'), { recursive: true });
await cp(fixture('future_opset.onnx'), join(store, 'broken'));
const server = await startServer({
  models: [iris, fixture('affine.onnx')],
  args: [
    ...['--model-store', store, '--model-control-mode', 'explicit'],
    ...['--http-threads', '2'],
  ],
});
t.teardown(server.stop);
const url = server.inference;

async function ask(path: string, body?: object): Promise<{ status: number; value: never }> {
  const { status, text } =
    body === undefined ? await call(url + path) : await postJson(url + path, body);
  return { status, value: JSON.parse(text) as never };
}

function predict(name: string) {
  const data = [5.1, 3.5, 1.4, 0.2];
  const input = { name: 'features', datatype: 'FP32', shape: [1, 4], data };
  return post(`${url}/v2/models/${name}/infer`, wireBody([input]));
}

const load = (name: string, body = {}) => ask(`/v2/repository/models/${name}/load`, body);
const unload = (name: string) => {
  return ask(`/v2/repository/models/${name}/unload`, { parameters: { unload_dependents: false } });
};

t.test('a model is unloaded, named so, and loaded again', async t => {
  t.strictSame(await unload('iris'), { status: 200, value: { name: 'iris', unload: true } });
  t.equal((await ask('/v2/models/iris/ready')).status, 503);
  const refused = await predict('iris');
  t.equal(refused.status, 503);
  t.match(JSON.parse(refused.text).error, /^Request for unknown model: 'iris' has no version at/);
  t.equal((await ask('/v2/health/ready')).status, 200, 'it is not meant to be ready');
  const index = await ask('/v2/repository/index', {});
  t.strictSame(index.value, [
    { name: 'affine', version: '1', state: 'READY' },
    { name: 'iris', version: '1', state: 'UNAVAILABLE', reason: 'unloaded' },
  ]);
  const ready = await ask('/v2/repository/index', { ready: true });
  t.strictSame(ready.value, [{ name: 'affine', version: '1', state: 'READY' }]);
  t.strictSame(await load('iris'), { status: 200, value: { name: 'iris', load: true } });
  t.equal((await predict('iris')).status, 200);
  t.equal((await load('iris')).status, 200, 'a loaded one stays as it is');
});

t.test('a model of the store is loaded by its name, also by KServe', async t => {
  const both = await Promise.all([load('flowers'), load('flowers', {})]);
  t.strictSame(
    both.map(({ status }) => status),
    [200, 200],
    'twice at the same time',
  );
  t.equal((await predict('flowers')).status, 200);
  t.equal((await unload('flowers')).status, 200);
});

t.test('a configuration of the request counts, with numbers as texts', async t => {
  const config = JSON.stringify({
    max_batch_size: '16',
    dynamic_batching: { max_queue_delay_microseconds: 100 },
    instance_group: [{ count: 1 }],
  });
  const loaded = await load('iris', { parameters: { config } });
  t.equal(loaded.status, 400, 'not while it serves');
  t.equal((await unload('iris')).status, 200);
  const tooMany = JSON.stringify({ instance_group: [{ count: 100_000 }] });
  const failed = await load('iris', { parameters: { config: tooMany } });
  t.equal(failed.status, 400);
  t.match((failed.value as { error: string }).error, /^load failed for model 'iris': .*lanes/);
  t.match((await ask('/v2/repository/index', {})).value as object[], [
    { name: 'affine', state: 'READY' },
    { name: 'flowers', state: 'UNAVAILABLE' },
    { name: 'iris', state: 'UNAVAILABLE' },
  ]);
  t.equal((await load('iris', { parameters: { config } })).status, 200);
  t.match((await ask('/v2/models/iris/config')).value, {
    max_batch_size: 16,
    dynamic_batching: { max_queue_delay_microseconds: 100 },
    instance_group: [{ count: 1 }],
  });
  t.equal((await predict('iris')).status, 200);
});

const refused = [
  { name: 'nothing', status: 404, says: /^failed to load 'nothing', failed to poll from model/ },
  { name: 'broken', status: 400, says: /^load failed for model 'broken': / },
  { name: '..', status: 400, says: /^failed to load: expected a model name/ },
  { name: '%2Fetc%2Fpasswd', status: 400, says: /^failed to load: expected a model name/ },
  { name: 'flowers', config: '{', status: 400, says: /^failed to load 'flowers': parameters.conf/ },
  {
    name: 'flowers',
    config: '{"max_batch_size":-1}',
    status: 400,
    says: /^failed to load 'flowers': "max_batch_size": expected an integer from 0, got -1$/,
  },
  {
    name: 'flowers',
    config: 7,
    status: 400,
    says: /^failed to load 'flowers': .* expected a text/,
  },
];

for (const { name, config, status, says } of refused) {
  t.test(`${name} with ${config} is refused`, async t => {
    const parameters = config === undefined ? {} : { config };
    const reply = await load(name, { parameters });
    t.equal(reply.status, status);
    t.match((reply.value as { error: string }).error, says);
  });
}

t.test('pages in a browser can neither load nor unload', async t => {
  const headers = { origin: 'https://attacker.example' };
  for (const verb of ['load', 'unload']) {
    const path = `${url}/v2/repository/models/iris/${verb}`;
    const { status, text } = await call(path, { method: 'POST', headers });
    t.equal(status, 403, text);
  }
  t.equal((await ask('/v2/models/iris/ready')).status, 200);
});

t.test('files in a request are refused, and unloading what is not there succeeds', async t => {
  const reply = await load('flowers', { parameters: { 'file:1/model.onnx': 'AAAA' } });
  t.equal(reply.status, 501);
  t.equal((await unload('nothing')).status, 200);
});

t.test('statistics and metrics count what a client has sent, exactly', async t => {
  interface Stats {
    readonly last_inference: number;
    readonly inference_count: number;
    readonly execution_count: number;
    readonly inference_stats: Readonly<Record<string, { count: number; ns: number }>>;
    readonly batch_stats: readonly { batch_size: number; compute_infer: { count: number } }[];
  }
  const read = async (): Promise<Stats> => {
    const { value } = await ask('/v2/models/affine/versions/1/stats');
    return (value as { model_stats: Stats[] }).model_stats[0] as Stats;
  };
  const send = (rows: number, name = 'x') => {
    const data = new Array(4 * rows).fill(1);
    const input = { name, datatype: 'FP32', shape: [rows, 4], data };
    return post(`${url}/v2/models/affine/infer`, wireBody([input]));
  };
  const start = Date.now();
  const before = await read();
  t.strictSame(before.batch_stats, []);
  t.strictSame(before.inference_stats['success'], { count: 0, ns: 0 });
  t.equal(before.last_inference, 0);
  for (const rows of [8, 1, 1]) t.equal((await send(rows)).status, 200);
  t.equal((await send(1, 'wrong')).status, 400);
  const after = await read();
  t.equal(after.inference_count, 10);
  t.equal(after.execution_count, 3);
  for (const key of ['success', 'queue', 'compute_input', 'compute_infer', 'compute_output']) {
    t.equal(after.inference_stats[key]?.count, 3, key);
    t.ok(Number.isSafeInteger(after.inference_stats[key]?.ns), key);
  }
  t.equal(after.inference_stats['fail']?.count, 1);
  t.ok((after.inference_stats['compute_infer']?.ns ?? 0) > 0);
  t.match(after.batch_stats, [
    { batch_size: 1, compute_infer: { count: 2 } },
    { batch_size: 8, compute_infer: { count: 1 } },
  ]);
  t.ok(after.last_inference >= start && after.last_inference <= Date.now() + 1000);
  const label = '{model="affine",version="1"';
  const samples = [
    [`nv_inference_request_success${label}}`, 3],
    [`nv_inference_request_failure${label},reason="OTHER"}`, 1],
    [`nv_inference_request_failure${label},reason="REJECTED"}`, 0],
    [`nv_inference_count${label}}`, 10],
    [`nv_inference_exec_count${label}}`, 3],
    [`nv_inference_pending_request_count${label}}`, 0],
  ] as const;
  for (const [sample, value] of samples) t.equal(await metric(server, sample), value, sample);
  t.ok((await metric(server, `nv_inference_compute_infer_duration_us${label}}`)) > 0);
});

t.test('versions are asked for by their paths, else by shares of the traffic', async t => {
  const manage = (method: string, path: string, body = '') => {
    const headers = { 'content-type': 'application/json' };
    return call(server.management + path, { method, headers: body === '' ? {} : headers, body });
  };
  const second = 'url=flowers&model_name=iris&model_version=2&initial_workers=1&synchronous=true';
  t.equal((await manage('POST', `/models?${second}`)).status, 200);
  const versionOf = async (path: string) => {
    const { text } = await predict(path);
    return (JSON.parse(text) as { model_version: string }).model_version;
  };
  t.equal(await versionOf('iris'), '1', 'the default one');
  t.equal(await versionOf('iris/versions/2'), '2');
  t.match((await ask('/v2/models/iris')).value, { versions: ['1', '2'] });
  t.match((await ask('/v2/models/iris/versions/2')).value, { versions: ['2'] });
  const variants = [
    { name: 'a', version: '1', weight: 0 },
    { name: 'b', version: '2', weight: 1 },
  ];
  const shared = await manage('PUT', '/models/iris/traffic', JSON.stringify({ variants }));
  t.equal(shared.status, 200, shared.text);
  t.equal(await versionOf('iris'), '2');
  t.equal(await versionOf('iris/versions/1'), '1');
  const count = 'inference_variant_requests_total{model="iris",variant="b"}';
  t.equal(await metric(server, count), 1);
  t.equal((await manage('DELETE', '/models/iris/traffic')).status, 200);
  t.equal((await manage('DELETE', '/models/iris/2')).status, 200);
});

t.test('a model is swapped out under load without a request that is lost', async t => {
  let answered = 0;
  let isOver = false;
  const statuses = new Set<number>();
  const client = async () => {
    while (!isOver) {
      statuses.add((await predict('iris')).status);
      answered++;
    }
  };
  const clients = Array.from({ length: 4 }, client);
  await until(() => answered > 20);
  t.equal((await unload('iris')).status, 200);
  t.equal((await load('iris')).status, 200);
  const then = answered;
  await until(() => answered > then + 20);
  isOver = true;
  await Promise.all(clients);
  t.strictSame([...statuses].sort(), [200, 503], 'answered, or refused while there was none');
});
