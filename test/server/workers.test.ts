// SPDX-License-Identifier: Apache-2.0
// How many workers a model can be asked to have, and the versions that are none, by the management API.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { listDevices } from '../../lib/index.js';
import { fixture } from '../helpers.js';
import { openClient, rawPost, spinBody } from './connections.js';
import { call, iris, metric, type RunningServer, startServer } from './helpers.js';

async function ask({ management }: RunningServer, method: string, path: string) {
  const { status, text } = await call(management + path, { method });
  return { status, value: JSON.parse(text) };
}

function registerPath(url: string, more: string): string {
  return `/models?url=${encodeURIComponent(url)}&model_name=x&${more}`;
}

const badRequest = { status: 400, type: 'BadRequestException' };
const noVersion = { status: 404, type: 'ModelVersionNotFoundException' };

const refused = [
  {
    method: 'PUT',
    path: '/models/iris?min_worker=2147483647',
    ...badRequest,
    says: /at most 4096/,
  },
  {
    method: 'PUT',
    path: '/models/iris?max_worker=4097',
    ...badRequest,
    says: /^max_worker: .*4097/,
  },
  {
    method: 'POST',
    path: registerPath(iris, 'initial_workers=4097'),
    ...badRequest,
    says: /^initial_workers: expected at most 4096/,
  },
  {
    method: 'POST',
    path: registerPath(iris, 'model_version=all'),
    ...badRequest,
    says: /"x\/all"/,
  },
  {
    method: 'POST',
    path: registerPath(iris, 'model_version=traffic'),
    ...badRequest,
    says: /other/,
  },
  { method: 'PUT', path: '/models/iris/all', ...noVersion, says: /all does not exist/ },
  { method: 'DELETE', path: '/models/iris/all', ...noVersion, says: /all does not exist/ },
] as const;

t.test('what no model can have or be is refused', async t => {
  const server = await startServer({ models: [iris], args: ['--model-store', '/'] });
  t.teardown(server.stop);
  for (const { method, path, status, type, says } of refused) {
    const answer = await ask(server, method, path);
    t.match(answer, { status, value: { code: status, type, message: says } }, `${method} ${path}`);
  }
  t.match((await ask(server, 'GET', '/models')).value, { models: { length: 1 } });
  const most = await ask(server, 'PUT', '/models/iris?min_worker=4096&synchronous=true');
  t.equal(most.status, 200);
  t.match((await ask(server, 'GET', '/models/iris')).value, { workers: { length: 4096 } });
});

t.test('initial_workers count for more than the cores of model.json', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'workers-'));
  t.teardown(() => rm(folder, { recursive: true }));
  await cp(iris, folder, { recursive: true });
  const file = join(folder, 'model.json');
  const { cores } = listDevices();
  const manifest = JSON.parse(await readFile(file, 'utf8'));
  await writeFile(file, JSON.stringify({ ...manifest, placement: { cores } }));
  const server = await startServer({ models: [folder], args: ['--model-store', '/'] });
  t.teardown(server.stop);
  const pinned = await ask(server, 'GET', '/models/iris');
  t.match(pinned.value, { minWorkers: cores.length, workers: { length: cores.length } });
  t.equal((await ask(server, 'POST', registerPath(folder, 'initial_workers=1'))).status, 200);
  const asked = await ask(server, 'GET', '/models/x');
  t.match(asked.value, { minWorkers: 1, workers: { length: 1 } });
});

t.test('a model whose requests do not finish in time keeps its workers', async t => {
  const args = ['--unregister-timeout-ms', '1'];
  const server = await startServer({ models: [fixture('spin.onnx')], args });
  t.teardown(server.stop);
  const client = await openClient(server.inference);
  t.teardown(() => client.socket.destroy());
  const answer = client.ask(rawPost('/predictions/spin', spinBody(3_000_000)));
  while ((await metric(server, 'inference_running{model="spin",version="1"}')) < 1);
  const none = '/models/spin?min_worker=0&synchronous=true';
  t.match(await ask(server, 'PUT', none), {
    status: 408,
    value: { type: 'RequestTimeoutException', message: 'Timed out while cleaning resources: spin' },
  });
  t.match((await ask(server, 'GET', '/models/spin')).value, { workers: [{ status: 'READY' }] });
  t.match(await answer, /^HTTP\/1\.1 200 /);
  t.match(await client.ask(rawPost('/predictions/spin', spinBody(1))), /^HTTP\/1\.1 200 /);
  t.equal((await ask(server, 'PUT', none)).status, 200, 'a retry works');
});
