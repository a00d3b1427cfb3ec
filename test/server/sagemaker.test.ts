// SPDX-License-Identifier: Apache-2.0
// The contract of SageMaker for one model: settings from its environment, one port, health, limits, the end.
import { once } from 'node:events';
import { chmod, copyFile, cp, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createSocket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { executionParameters } from '../../server/protocol/sagemaker/routes.js';
import { explainConfig } from '../../server/settings.js';
import { fixture } from '../helpers.js';
import { openClient, rawPost, spinBody } from './connections.js';
import { call, iris, metric, postJson, runCommand } from './helpers.js';
import { baseDirectory, startOnSageMaker } from './sagemaker.js';

const rows = '[[5.1,3.5,1.4,0.2]]';

const environments = [
  {
    env: { SAGEMAKER_BIND_TO_PORT: '8123' },
    is: {
      sageMaker: 'single',
      host: '0.0.0.0',
      port: 8123,
      managementPort: 8123,
      metricsPort: 8123,
      models: ['model=/opt/ml/model'],
      responseTimeoutMs: 60_000,
    },
  },
  {
    env: { SAGEMAKER_MULTI_MODEL: 'true', SAGEMAKER_BASE_DIR: '/b' },
    is: {
      sageMaker: 'multi',
      port: 8080,
      models: [],
      modelStore: '/b/models',
      defaultWorkers: 1,
      unregisterTimeoutMs: 350_000,
    },
  },
  { env: { SAGEMAKER_MULTI_MODEL: 'True' }, is: { sageMaker: 'single' } },
  { env: { SAGEMAKER_MAX_PAYLOAD_IN_MB: '1' }, is: { maxRequestBytes: 1_048_576 } },
  {
    env: { SAGEMAKER_MAX_PAYLOAD_IN_MB: '1000' },
    is: { maxRequestBytes: 1_048_576_000, maxBufferedBytes: 1_048_576_000 },
  },
  {
    env: { SAGEMAKER_MODEL_SERVER_TIMEOUT: '7', SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS: '5' },
    is: { responseTimeoutMs: 5000 },
  },
  { env: { SAGEMAKER_STARTUP_TIMEOUT: '9' }, is: { startupTimeoutMs: 9000 } },
  { env: { SAGEMAKER_MODEL_SERVER_WORKERS: '2' }, is: { defaultWorkers: 2 } },
  { env: { SAGEMAKER_CONTAINER_LOG_LEVEL: '30' }, is: { logLevel: 'warn' } },
  { env: { SAGEMAKER_MAX_RESPONSE_SIZE: '4000000000' }, is: { maxResponseBytes: 2 ** 28 } },
  {
    env: { SAGEMAKER_BIND_TO_PORT: '8123', INFERENCE_NATIVE_PORT: '9000' },
    is: { port: 9000, managementPort: 9000, metricsPort: 9000 },
  },
  {
    env: { SAGEMAKER_BIND_TO_PORT: '8123', INFERENCE_NATIVE_SAGE_MAKER: 'off' },
    is: { sageMaker: 'off', port: 8080, host: '127.0.0.1', models: [] },
  },
  { env: {}, is: { sageMaker: 'off', port: 8080, responseTimeoutMs: 0 } },
] as const;

for (const { env, is } of environments) {
  t.test(`${JSON.stringify(env)} is understood`, async t => {
    const { config } = explainConfig([], env);
    for (const [key, value] of Object.entries(is)) {
      t.same(config[key as keyof typeof config], value, key);
    }
  });
}

t.test('each setting names the variable that it is from', async t => {
  const { sources } = explainConfig([], { SAGEMAKER_BIND_TO_PORT: '8123' });
  t.match(sources, {
    port: 'SAGEMAKER_BIND_TO_PORT',
    sageMaker: 'SAGEMAKER_BIND_TO_PORT',
    managementPort: 'SageMaker',
    maxRequestBytes: 'default',
  });
});

const range = { SAGEMAKER_SAFE_PORT_RANGE: '9000-9010' };
const metricsPort = (port: string) => ({ ...range, INFERENCE_NATIVE_METRICS_PORT: port });
const refusals = [
  { env: metricsPort('8081'), says: /metricsPort: expected .* 9000 to 9010 .*, got 8081/ },
  { env: { SAGEMAKER_SAFE_PORT_RANGE: '9' }, says: /SAFE_PORT_RANGE: expected two ports/ },
  { env: { SAGEMAKER_BIND_TO_PORT: 'x' }, says: /SAGEMAKER_BIND_TO_PORT: expected an integer/ },
  { env: { SAGEMAKER_CONTAINER_LOG_LEVEL: 'loud' }, says: /LOG_LEVEL: expected one of/ },
  {
    env: { SAGEMAKER_MULTI_MODEL: 'true', INFERENCE_NATIVE_MAX_LOADED_MODELS: '3' },
    says: /maxLoadedModels: expected 0, as SageMaker/,
  },
] as const;

for (const { env, says } of refusals) {
  t.test(`${JSON.stringify(env)} is refused`, async t => {
    t.throws(() => explainConfig([], env), { code: 'INFER_BAD_INPUT', message: says });
  });
}

t.test('ports within the range are taken', async t => {
  for (const env of [metricsPort('9001'), metricsPort('8080')]) {
    t.equal(explainConfig([], env).config.sageMaker, 'single');
  }
});

t.test('execution parameters: numbers, and a product of 100 at most', async t => {
  for (const defaultWorkers of [0, 1, 4096]) {
    for (const maxRequestBytes of [1, 2 ** 20, 6_553_500, 2 ** 27, 2 ** 31 - 1]) {
      const found = executionParameters({ maxRequestBytes, defaultWorkers }, 64) as {
        MaxConcurrentTransforms: number;
        MaxPayloadInMB: number;
      };
      t.match(found, {
        MaxConcurrentTransforms: Number,
        BatchStrategy: 'MULTI_RECORD',
        MaxPayloadInMB: Number,
      });
      const { MaxConcurrentTransforms: most, MaxPayloadInMB: payload } = found;
      t.ok(most >= 1 && payload >= 1 && most * payload <= 100, `${most} times ${payload}`);
    }
  }
});

/** Names and times of all in a directory. */
async function stateOf(directory: string): Promise<unknown[]> {
  const names = (await readdir(directory, { recursive: true })).sort();
  const times = names.map(async name => (await stat(join(directory, name))).mtimeMs);
  return [names, await Promise.all(times)];
}

t.test('a model is served on one port from a directory that is only read', async t => {
  const base = await baseDirectory(t);
  const model = join(base, 'model');
  await cp(iris, join(model, 'flowers'), { recursive: true }); // one directory below, beside code
  await mkdir(join(model, 'code'));
  for (const path of [join(model, 'flowers'), model]) await chmod(path, 0o555);
  t.teardown(() => chmod(model, 0o755));
  t.teardown(() => chmod(join(model, 'flowers'), 0o755));
  const before = await stateOf(model);
  const env = { SAGEMAKER_MAX_PAYLOAD_IN_MB: '1' };
  const server = await startOnSageMaker(t, base, { env });
  const { inference, management, metrics } = server;
  t.same([management, metrics], [inference, inference]);
  t.equal((await call(`${inference}/ping`)).status, 200);
  t.equal((await postJson(`${inference}/predictions/model`, rows)).status, 200);
  t.match((await call(`${inference}/models`)).text, /"modelName": "model"/);
  t.match((await call(`${inference}/metrics`)).text, /inference_completed_total\{model="model"/);
  const parameters = JSON.parse((await call(`${inference}/execution-parameters`)).text);
  t.match(parameters, { MaxConcurrentTransforms: Number, MaxPayloadInMB: 1 });
  const large = ' '.repeat(2 ** 20 + 1);
  t.equal((await postJson(`${inference}/predictions/model`, large)).status, 413);
  t.equal((await postJson(`${inference}/predictions/model`, rows)).status, 200);
  t.equal(await server.stop(), 0);
  t.same(await stateOf(model), before);
});

t.test('a start without a model fails and names the directory', async t => {
  const base = await baseDirectory(t);
  const env = { SAGEMAKER_BASE_DIR: base };
  const { code, log, output } = await runCommand(['serve', '--port', '0'], env);
  t.equal(code, 1);
  const failed = log.find(({ event }) => event === 'model_failed');
  t.match(failed, { path: join(base, 'model'), message: String });
  t.equal(output, '', 'it never said that it listens');
});

async function freePort(): Promise<number> {
  const socket = createSocket().listen(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address() as AddressInfo;
  socket.close();
  await once(socket, 'close');
  return port;
}

/** Serves a model file when it is told to. */
async function slowStore(t: Test) {
  const server = createServer();
  const asked = once(server, 'request');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const goOn = async () => {
    const [, response] = await asked;
    response.end(await readFile(fixture('affine.onnx')));
  };
  return { url: `http://127.0.0.1:${port}/affine.onnx`, asked, goOn };
}

t.test('health is told from the start on: 503 until the model is loaded', async t => {
  const base = await baseDirectory(t);
  const { url, asked, goOn } = await slowStore(t);
  const port = await freePort();
  const env = { SAGEMAKER_BIND_TO_PORT: String(port), INFERENCE_NATIVE_ALLOWED_URLS: url };
  const starting = startOnSageMaker(t, base, {
    env,
    models: [`model=${url}`],
    ports: ['--host', '127.0.0.1'],
  });
  await asked;
  const ping = async () => (await call(`http://127.0.0.1:${port}/ping`)).status;
  t.equal(await ping(), 503);
  await goOn();
  await starting;
  t.equal(await ping(), 200);
});

t.test('a start that takes too long is given up', async t => {
  const base = await baseDirectory(t);
  const { url } = await slowStore(t);
  const env = {
    SAGEMAKER_BASE_DIR: base,
    SAGEMAKER_STARTUP_TIMEOUT: '1',
    INFERENCE_NATIVE_ALLOWED_URLS: url,
  };
  const { code, log } = await runCommand(['serve', `model=${url}`, '--port', '0'], env);
  t.equal(code, 1);
  const failed = log.find(({ event }) => event === 'start_failed');
  t.match(failed, { code: 'INFER_DEADLINE', message: /startupTimeoutMs/ });
});

t.test('a request that takes too long is answered 504, and others go on', async t => {
  const base = await baseDirectory(t);
  await copyFile(fixture('spin.onnx'), join(base, 'model', 'model.onnx'));
  const env = { SAGEMAKER_MODEL_SERVER_TIMEOUT_SECONDS: '1', SAGEMAKER_MODEL_SERVER_WORKERS: '1' };
  const { inference } = await startOnSageMaker(t, base, { env });
  const late = await postJson(`${inference}/predictions/model`, spinBody(2 ** 40));
  t.match([late.status, JSON.parse(late.text)], [504, { code: 504 }]);
  t.equal((await postJson(`${inference}/predictions/model`, spinBody(2))).status, 200);
});

/** SageMaker's own limits hold when this is set; a busy machine may not keep them. */
const checksTimes = process.env['SAGEMAKER_TIMES'] === '1';

t.test('health is told while all lanes are busy, and until the end', async t => {
  const base = await baseDirectory(t);
  await copyFile(fixture('spin.onnx'), join(base, 'model', 'model.onnx'));
  const server = await startOnSageMaker(t, base);
  const { inference } = server;
  const open = Array.from({ length: 64 }, () => openClient(inference));
  const clients = await Promise.all(open);
  t.teardown(() => clients.map(({ socket }) => socket.destroy()));
  const [, ...endless] = clients.map(({ ask }, index) =>
    ask(rawPost('/predictions/model', spinBody(index === 0 ? 3_000_000 : 2 ** 40))),
  );
  for (const reply of endless) reply.catch(() => {});
  const running = () => metric(server, 'inference_running{model="model",version="1"}');
  while ((await running()) < 1);
  const times: number[] = [];
  for (let count = 0; count < 200; count++) {
    const startMs = performance.now();
    t.equal((await call(`${inference}/ping`)).status, 200);
    times.push(performance.now() - startMs);
  }
  times.sort((a, b) => a - b);
  if (checksTimes) t.ok((times[198] ?? 0) < 50 && (times[199] ?? 0) < 2000, `${times.slice(-3)}`);
  server.kill('SIGKILL');
});

t.test('SIGTERM: health turns bad, the request that runs is answered, the end is good', async t => {
  const base = await baseDirectory(t);
  await copyFile(fixture('spin.onnx'), join(base, 'model', 'model.onnx'));
  const server = await startOnSageMaker(t, base, { args: ['--drain-timeout-ms', '250000'] });
  const [runner, pinger] = await Promise.all([
    openClient(server.inference),
    openClient(server.inference),
  ]);
  const ping = () => pinger.ask('GET /ping HTTP/1.1\r\nHost: a\r\n\r\n');
  t.match(await ping(), / 200 /);
  const answer = runner.ask(rawPost('/predictions/model', spinBody(500_000)));
  while ((await metric(server, 'inference_running{model="model",version="1"}')) < 1);
  server.kill('SIGTERM');
  while (!server.log.some(({ event }) => event === 'drain_started')) {
    await new Promise(setImmediate);
  }
  t.match(await ping(), / 503 /);
  t.match(await answer, /^HTTP\/1\.1 200 /);
  t.equal(await server.exited, 0);
});
