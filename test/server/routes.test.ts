// SPDX-License-Identifier: Apache-2.0
// Health, models, metrics, headers, listeners: everything but predictions.

import { once } from 'node:events';
import { createServer } from 'node:net';
import t from 'tap';
import { createResponder } from '../../server/app.js';
import { defaultErrors, protocols } from '../../server/protocol/index.js';
import type { HttpRequest, Protocol, Route, ServerContext } from '../../server/route.js';
import { readConfig } from '../../server/settings.js';
import { fixture } from '../helpers.js';
import { call, iris, metric, postJson, type RunningServer, startServer } from './helpers.js';

const odd = 'we"ird {name}';
const server = await startServer({
  models: [iris, `${odd}=${fixture('affine.onnx')}`, `a=${fixture('affine.onnx')}`],
});
t.teardown(server.stop);

t.test('ping says Healthy', async t => {
  const { status, text, headers } = await call(`${server.inference}/ping`);
  t.equal(status, 200);
  t.same(JSON.parse(text), { status: 'Healthy' });
  t.equal(text, '{\n  "status": "Healthy"\n}\n');
  t.equal(headers['content-type'], 'application/json');
  t.equal(headers['connection'], 'keep-alive');
  t.equal(headers['content-length'], String(text.length));
});

t.test('every reply has a fresh id and must not be cached', async t => {
  const own = { 'x-request-id': 'mine' };
  const replies = await Promise.all(
    ['/ping', '/ping', '/nothing'].map(path => call(server.inference + path, { headers: own })),
  );
  const ids = replies.map(({ headers }) => headers['x-request-id']);
  t.equal(new Set(ids).size, 3);
  for (const { headers } of replies) {
    t.match(
      headers['x-request-id'],
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    t.equal(headers['pragma'], 'no-cache');
    t.equal(headers['cache-control'], 'no-cache; no-store, must-revalidate, private');
    t.equal(headers['expires'], 'Thu, 01 Jan 1970 00:00:00 UTC');
    t.notOk(headers['uwebsockets'], 'the library is not named');
  }
});

const notFound = {
  code: 404,
  type: 'ResourceNotFoundException',
  message: 'Requested resource is not found, please refer to API document.',
};
const notAllowed = {
  code: 405,
  type: 'MethodNotAllowedException',
  message: 'Requested method is not allowed, please refer to API document.',
};
const cases = [
  { port: 'inference', method: 'GET', path: '/ping/', status: 200, body: { status: 'Healthy' } },
  { port: 'inference', method: 'GET', path: '/ping?x=1', status: 200, body: { status: 'Healthy' } },
  { port: 'inference', method: 'GET', path: '//ping', status: 404, body: notFound },
  {
    port: 'inference',
    method: 'GET',
    path: '/',
    status: 405,
    body: notAllowed,
    allow: 'OPTIONS',
  },
  { port: 'inference', method: 'GET', path: '/Ping', status: 404, body: notFound },
  {
    port: 'inference',
    method: 'POST',
    path: '/ping',
    status: 200,
    body: { status: 'Healthy' },
  },
  { port: 'inference', method: 'GET', path: '/models', status: 404, body: notFound },
  { port: 'inference', method: 'GET', path: '/metrics', status: 404, body: notFound },
  { port: 'management', method: 'GET', path: '/ping', status: 404, body: notFound },
  {
    port: 'management',
    method: 'GET',
    path: '/models/nope',
    status: 404,
    body: { code: 404, type: 'ModelNotFoundException', message: 'Model not found: nope' },
  },
  {
    port: 'management',
    method: 'PUT',
    path: '/models',
    status: 405,
    body: notAllowed,
    allow: 'GET, HEAD, POST',
  },
  { port: 'metrics', method: 'GET', path: '/models', status: 404, body: notFound },
  {
    port: 'metrics',
    method: 'GET',
    path: '/',
    status: 405,
    body: notAllowed,
    allow: 'OPTIONS',
  },
] as const;

for (const { port, method, path, status, body, ...rest } of cases) {
  t.test(`${method} ${path} on ${port} is ${status}`, async t => {
    const reply = await call(server[port] + path, { method });
    t.equal(reply.status, status);
    t.same(JSON.parse(reply.text), body);
    t.equal(reply.headers['connection'], status < 400 ? 'keep-alive' : 'close');
    t.equal(reply.headers['allow'], 'allow' in rest ? rest.allow : undefined);
  });
}

const pages = [
  { query: '', names: ['a', 'iris', odd], token: undefined },
  { query: '?limit=2', names: ['a', 'iris'], token: '2' },
  { query: '?limit=2&next_page_token=2', names: [odd], token: undefined },
  { query: '?limit=3', names: ['a', 'iris', odd], token: '3' },
  { query: '?next_page_token=12', names: [], token: undefined },
  { query: '?limit=-1&next_page_token=-1', names: ['a', 'iris', odd], token: undefined },
  { query: '?limit=200&nextPageToken=X', names: ['a', 'iris', odd], token: undefined },
] as const;

for (const { query, names, token } of pages) {
  t.test(`GET /models${query} lists by name`, async t => {
    const { text } = await call(`${server.management}/models${query}`);
    const page = JSON.parse(text);
    t.same(
      page.models.map((model: { modelName: string }) => model.modelName),
      names,
    );
    t.equal(page.nextPageToken, token);
    for (const model of page.models) t.same(Object.keys(model), ['modelName', 'modelUrl']);
  });
}

t.test('GET /models/{model} describes it as MMS does', async t => {
  const { text } = await call(`${server.management}/models/iris`);
  const model = JSON.parse(text);
  t.same(Object.keys(model), [
    'modelName',
    'modelVersion',
    'modelUrl',
    'engine',
    'runtime',
    'minWorkers',
    'maxWorkers',
    'batchSize',
    'maxBatchDelay',
    'loadedAtStartup',
    'workers',
  ]);
  t.match(model, {
    modelName: 'iris',
    modelVersion: '1',
    modelUrl: iris,
    batchSize: 32,
    maxBatchDelay: 0,
    loadedAtStartup: true,
  });
  t.equal(model.workers.length, model.minWorkers);
  t.equal(model.minWorkers, model.maxWorkers);
  const [worker] = model.workers;
  t.same(Object.keys(worker), ['id', 'startTime', 'status', 'gpu', 'memoryUsage']);
  t.match(worker, {
    id: /^worker-0/,
    status: 'READY',
    gpu: false,
    startTime: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/,
  });
});

const strangers = [
  {
    name: 'a name that resolves to loopback',
    headers: { host: 'attacker.example' },
    says: /header host: .* got "attacker\.example"/,
  },
  {
    name: 'a page of another site',
    headers: { origin: 'https://attacker.example' },
    says: /header origin: .* got "https/,
  },
] as const;

for (const { name, headers, says } of strangers) {
  t.test(`management refuses ${name}`, async t => {
    const { status, text } = await call(`${server.management}/models`, { headers });
    t.equal(status, 403);
    t.match(JSON.parse(text).message, says);
  });
}

/** name, labels, value of every sample line; any other line must be a comment of the format. */
function parseMetrics(text: string) {
  const label = '[a-z]+="(?:[^"\\\\\\n]|\\\\[\\\\"n])*"';
  const sample = new RegExp(
    `^((?:nv_)?inference_[a-z_]+)(\\{${label}(?:,${label})*\\})? (\\+Inf|NaN|-?[0-9.e+-]+)$`,
  );
  t.ok(text.endsWith('\n'));
  return text
    .trimEnd()
    .split('\n')
    .flatMap(line => {
      if (/^# (HELP|TYPE) (?:nv_)?inference_[a-z_]+ /.test(line)) return [];
      const [, name = '', labels = '', value = ''] = sample.exec(line) ?? [];
      if (name === '') throw new Error(`no sample: ${line}`);
      return [{ name, labels, value: Number(value) }];
    });
}

t.test('metrics are valid Prometheus text', async t => {
  await postJson(`${server.inference}/predictions/iris`, [
    [1, 2, 3, 4],
    [5, 6, 7, 8],
  ]);
  await postJson(`${server.inference}/predictions/iris`, [[1]]);
  const { text, headers } = await call(`${server.metrics}/metrics`);
  t.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  const samples = parseMetrics(text);
  const names = new Set(samples.map(({ name }) => name));
  for (const name of [
    'requests_total',
    'queue_depth',
    'queue_seconds_sum',
    'run_seconds_count',
    'parse_seconds_count',
    'format_seconds_count',
    'batch_rows_bucket',
    'event_loop_delay_seconds',
    'process_resident_memory_bytes',
    'http_responses_total',
  ]) {
    t.ok(names.has(`inference_${name}`), name);
  }
  t.ok(
    samples.some(({ labels }) => labels.includes('model="we\\"ird {name}"')),
    'a quote is escaped',
  );
  const buckets = samples.filter(
    ({ name, labels }) => name === 'inference_batch_rows_bucket' && labels.includes('"iris"'),
  );
  t.ok(buckets.length > 2);
  t.same(
    buckets.map(({ value }) => value),
    buckets.map(({ value }) => value).sort((a, b) => a - b),
    'buckets are cumulative',
  );
  t.match(buckets.at(-1)?.labels, /le="\+Inf"/);
  const boundsOf = (name: string) => {
    const own = samples.filter(sample => sample.name === `inference_${name}_bucket`);
    return new Set(own.map(({ labels }) => /le="[^"]*"/.exec(labels)?.[0]));
  };
  t.same(boundsOf('http_accept_seconds'), boundsOf('queue_seconds'), 'times have the same bounds');
  t.same(boundsOf('http_write_seconds'), boundsOf('queue_seconds'));
  t.equal(boundsOf('queue_seconds').size, 20);
  const refused = samples.find(
    ({ name, labels }) => name === 'inference_http_responses_total' && labels === '{code="400"}',
  );
  t.ok((refused?.value ?? 0) >= 1, 'refused requests are counted by status');
});

t.test('APIs on one address share one listener', async t => {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  const port = String(typeof address === 'object' ? address?.port : 0);
  await new Promise(resolve => probe.close(resolve));
  const joined: RunningServer = await startServer({
    models: [iris],
    args: ['--port', port, '--management-port', port, '--metrics-port', port],
  });
  t.equal(joined.inference, joined.management);
  t.equal(joined.inference, joined.metrics);
  t.equal((await call(`${joined.inference}/ping`)).status, 200);
  t.equal((await call(`${joined.inference}/models`)).status, 200);
  t.equal(await metric(joined, 'inference_http_connections'), 1);
  t.equal(await joined.stop(), 0);
});

const drained = [
  { profile: 'mms', status: 503, body: { status: 'Unhealthy' } },
  { profile: 'mms-0.x', status: 503, body: { health: 'unhealthy!' } },
  { profile: 'torchserve', status: 500, body: { status: 'Unhealthy' } },
] as const;

for (const { profile, status, body } of drained) {
  t.test(`health of a server that drains, as ${profile} tells it`, async t => {
    const config = readConfig(['--profile', profile], {});
    const context = { config, isReady: () => false } as unknown as ServerContext;
    const options = { protocols, errors: defaultErrors, context };
    const respond = createResponder(options, { listeners: ['inference'], isLoopback: true });
    const reply = await respond({ method: 'GET', path: '/ping' } as HttpRequest);
    t.equal(reply.status, status);
    t.same(JSON.parse(String(reply.body)), body);
  });
}

t.test('two owners of one path are refused', async t => {
  const route: Route = {
    listener: 'inference',
    method: 'GET',
    path: '/a/{x}',
    handle: () => ({ status: 200, contentType: '', body: '' }),
  };
  const errors = { fromError: route.handle as never, fromStatus: route.handle as never };
  const protocol = (name: string, path: string): Protocol => ({
    name,
    errors,
    routes: () => [{ ...route, path }],
  });
  const protocols = [protocol('one', '/a/{x}'), protocol('two', '/a/{y}')];
  const options = { protocols, errors, context: {} as ServerContext };
  t.throws(
    () => createResponder(options, { listeners: ['inference'], isLoopback: true }),
    /GET \/a\/\{\}: claimed by one and by two/,
  );
});
