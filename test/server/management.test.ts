// SPDX-License-Identifier: Apache-2.0
// The management API over real sockets: register, scale, versions, unregister, and traffic that goes on meanwhile.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { fixture, until } from '../helpers.js';
import { bodyOf, openClient, rawPost, spinBody } from './connections.js';
import { call, iris, metric, type RunningServer, startServer } from './helpers.js';

const rows = '[[5.1,3.5,1.4,0.2]]';
/** The API may name what is in the store. */
const store = ['--model-store', '/'];
const spinFile = fixture('spin.onnx');

/** Directories like the iris model's, one for each version. */
async function versionsOf(t: Test, ...versions: readonly string[]): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'management-'));
  t.teardown(() => rm(folder, { recursive: true }));
  return Promise.all(
    versions.map(async version => {
      const path = join(folder, version);
      await cp(iris, path, { recursive: true });
      const file = join(path, 'model.json');
      const manifest = JSON.parse(await readFile(file, 'utf8'));
      await writeFile(file, JSON.stringify({ ...manifest, version }));
      return path;
    }),
  );
}

async function serve(t: Test, ...args: readonly string[]): Promise<RunningServer> {
  const server = await startServer({ models: [iris], args: [...store, ...args] });
  t.teardown(server.stop);
  return server;
}

interface Answer {
  readonly status: number;
  readonly value: Record<string, unknown>;
}

async function ask(
  server: RunningServer,
  method: string,
  path: string,
  body = '',
): Promise<Answer> {
  const headers = body === '' ? {} : { 'content-type': 'application/json' };
  const { status, text } = await call(server.management + path, { method, headers, body });
  return { status, value: JSON.parse(text) };
}

function predict(server: RunningServer, name: string) {
  const headers = { 'content-type': 'application/json' };
  return call(`${server.inference}/predictions/${name}`, { headers, body: rows });
}

function registerPath(url: string, more = ''): string {
  return `/models?url=${encodeURIComponent(url)}${more}`;
}

const scaled = { status: 200, value: { status: 'Workers scaled' } };
const processing = { status: 202, value: { status: 'Processing worker updates...' } };

t.test('register, describe, list, scale, unregister as MMS answers them', async t => {
  const server = await serve(t);
  const named = '&model_name=flowers';
  t.same(await ask(server, 'POST', registerPath(iris, named)), {
    status: 200,
    value: { status: 'Model "flowers" registered' },
  });
  const idle = await ask(server, 'GET', '/models/flowers');
  t.match(idle.value, {
    modelName: 'flowers',
    modelUrl: iris,
    minWorkers: 0,
    workers: [],
    loadedAtStartup: false,
  });
  const refused = await predict(server, 'flowers');
  t.equal(refused.status, 503);
  t.match(refused.text, /No worker is available to serve request for model: flowers/);
  t.same(await ask(server, 'PUT', '/models/flowers?min_worker=2&synchronous=true'), scaled);
  t.equal((await predict(server, 'flowers')).status, 200);
  const two = await ask(server, 'GET', '/models/flowers');
  t.match(two.value, { minWorkers: 2, maxWorkers: 2, workers: { length: 2 } });
  t.same(await ask(server, 'PUT', '/models/flowers?min_worker=1'), processing);
  const list = await ask(server, 'GET', '/models');
  t.same(list.value, {
    models: [
      { modelName: 'flowers', modelUrl: iris },
      { modelName: 'iris', modelUrl: iris },
    ],
  });
  t.same(await ask(server, 'PUT', '/models/flowers?min_worker=0&synchronous=true'), scaled);
  t.equal((await predict(server, 'flowers')).status, 503, 'registered without workers again');
  t.same(await ask(server, 'DELETE', '/models/flowers'), {
    status: 200,
    value: { status: 'Model "flowers" unregistered' },
  });
  t.equal((await predict(server, 'flowers')).status, 404);
  t.equal((await ask(server, 'DELETE', '/models/flowers')).status, 404);
  t.equal((await predict(server, 'iris')).status, 200, 'the other one was not touched');
});

t.test('parameters come as a query or as loose JSON', async t => {
  const server = await serve(t);
  const url = JSON.stringify(iris);
  const loose = `{'model_name':'a','url':${url},'initial_workers':'1','synchronous':'true','batch_size':8,'max_batch_delay':3}`;
  t.same(await ask(server, 'POST', '/models?url=ignored', loose), scaled);
  const { value } = await ask(server, 'GET', '/models/a');
  t.match(value, { batchSize: 8, maxBatchDelay: 3, minWorkers: 1 });
  const junk = '&model_name=b&batch_size=dd&max_batch_delay=junk&initial_workers=-1&synchronous=-1';
  t.equal((await ask(server, 'POST', registerPath(iris, junk))).status, 200);
  const later = registerPath(iris, '&model_name=c&initial_workers=1&synchronous=false');
  t.same(await ask(server, 'POST', later), processing);
  while ((await predict(server, 'c')).status === 503);
  t.equal((await predict(server, 'c')).status, 200);
});

const failures = [
  {
    method: 'POST',
    path: '/models',
    status: 400,
    type: 'BadRequestException',
    message: 'Parameter url is required.',
  },
  {
    method: 'POST',
    path: registerPath('x', '&runtime=InvalidRuntime'),
    status: 400,
    type: 'BadRequestException',
    message: 'Invalid RuntimeType value: InvalidRuntime',
  },
  {
    method: 'POST',
    path: registerPath('/nowhere/at/all'),
    status: 404,
    type: 'ModelNotFoundException',
    message: /nowhere/,
  },
  {
    method: 'POST',
    path: '/models',
    body: "{'url': ",
    status: 400,
    type: 'BadRequestException',
    message: /body/,
  },
  {
    method: 'POST',
    path: '/models',
    body: '[1]',
    status: 400,
    type: 'BadRequestException',
    message: /object/,
  },
  {
    method: 'POST',
    path: '/models',
    body: '{"url":{}}',
    status: 400,
    type: 'BadRequestException',
    message: /url/,
  },
  {
    method: 'POST',
    path: registerPath(iris),
    status: 409,
    type: 'ConflictStatusException',
    message: 'Model iris is already registered.',
  },
  {
    method: 'PUT',
    path: '/models/fake',
    status: 404,
    type: 'ModelNotFoundException',
    message: 'Model not found: fake',
  },
  {
    method: 'DELETE',
    path: '/models/fake',
    status: 404,
    type: 'ModelNotFoundException',
    message: 'Model not found: fake',
  },
  {
    method: 'PUT',
    path: '/models/iris?min_worker=10&max_worker=9',
    status: 400,
    type: 'BadRequestException',
    message: 'max_worker cannot be less than min_worker.',
  },
  {
    method: 'PUT',
    path: '/models/iris?min_worker=-1',
    status: 400,
    type: 'BadRequestException',
    message: /-1/,
  },
  {
    method: 'GET',
    path: '/models/iris/7',
    status: 404,
    type: 'ModelVersionNotFoundException',
    message: 'Model version: 7 does not exist for model: iris',
  },
  {
    method: 'PUT',
    path: '/models/iris/7/set-default',
    status: 404,
    type: 'ModelVersionNotFoundException',
    message: 'Model version 7 does not exist for model iris',
  },
  {
    method: 'PUT',
    path: '/models',
    status: 405,
    type: 'MethodNotAllowedException',
    message: /method/,
  },
] as const;

t.test('what cannot be done is refused in the words of MMS', async t => {
  const server = await serve(t);
  for (const { method, path, status, type, message, ...rest } of failures) {
    const answer = await ask(server, method, path, 'body' in rest ? rest.body : '');
    t.match(answer, { status, value: { code: status, type, message } }, `${method} ${path}`);
  }
  t.match((await ask(server, 'GET', '/models')).value, { models: { length: 1 } });
});

t.test('ten registrations of one name at a time: one wins', async t => {
  const server = await serve(t);
  const path = registerPath(iris, '&model_name=x&initial_workers=1');
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask(server, 'POST', path)));
  const statuses = answers.map(({ status }) => status).sort();
  t.same(statuses, [200, ...Array(9).fill(409)]);
  t.equal((await predict(server, 'x')).status, 200);
});

t.test('versions of a model: the first is the default until another is made so', async t => {
  const [first = '', second = ''] = await versionsOf(t, '1.0', '2.0');
  const server = await serve(t);
  for (const url of [first, second]) {
    t.same(await ask(server, 'POST', registerPath(url, '&model_name=v&initial_workers=1')), scaled);
  }
  const versions = async () => {
    const { value } = await ask(server, 'GET', '/models/v/all');
    return (value as unknown as { modelVersion: string }[]).map(own => own.modelVersion);
  };
  t.same(await versions(), ['1.0', '2.0']);
  t.equal((await predict(server, 'v/2.0')).status, 200);
  t.equal((await predict(server, 'v/3.0')).status, 404);
  const completed = (version: string) =>
    metric(server, `inference_completed_total{model="v",version="${version}"}`);
  t.same([await completed('1.0'), await completed('2.0')], [0, 1]);
  t.equal((await predict(server, 'v')).status, 200);
  t.same([await completed('1.0'), await completed('2.0')], [1, 1]);
  t.match(await ask(server, 'DELETE', '/models/v/1.0'), {
    status: 403,
    value: { type: 'InvalidModelVersionException' },
  });
  t.same(await ask(server, 'PUT', '/models/v/2.0/set-default'), {
    status: 200,
    value: { status: 'Default version successfully updated for model "v" to "2.0"' },
  });
  t.equal((await predict(server, 'v')).status, 200);
  t.equal(await completed('2.0'), 2);
  t.equal((await ask(server, 'DELETE', '/models/v/1.0')).status, 200);
  t.same(await versions(), ['2.0']);
  t.equal((await ask(server, 'DELETE', '/models/v')).status, 200);
  t.equal((await ask(server, 'GET', '/models/v')).status, 404);
});

t.test('unregistering lets an accepted request finish and takes no more', async t => {
  const server = await startServer({
    models: [`spin=${spinFile}`],
    args: ['--unregister-timeout-ms', '60000'],
  });
  t.teardown(server.stop);
  const client = await openClient(server.inference);
  t.teardown(() => client.socket.destroy());
  const answer = client.ask(rawPost('/predictions/spin', spinBody(3_000_000)));
  while ((await metric(server, 'inference_running{model="spin",version="1"}')) < 1);
  const gone = ask(server, 'DELETE', '/models/spin');
  while ((await predict(server, 'spin')).status !== 404);
  t.match(await answer, /^HTTP\/1\.1 200 /);
  t.equal((await gone).status, 200);
});

t.test('a model whose requests do not finish in time stays as it was', async t => {
  const server = await startServer({
    models: [`spin=${spinFile}`],
    args: ['--unregister-timeout-ms', '1'],
  });
  t.teardown(server.stop);
  const client = await openClient(server.inference);
  t.teardown(() => client.socket.destroy());
  const answer = client.ask(rawPost('/predictions/spin', spinBody(3_000_000)));
  while ((await metric(server, 'inference_running{model="spin",version="1"}')) < 1);
  t.match(await ask(server, 'DELETE', '/models/spin'), {
    status: 408,
    value: { type: 'RequestTimeoutException', message: 'Timed out while cleaning resources: spin' },
  });
  t.match(await answer, /^HTTP\/1\.1 200 /);
  t.equal((await ask(server, 'DELETE', '/models/spin')).status, 200, 'a retry works');
});

/** As many replacements of a model by another version as fit into the time of a test run. */
const swaps = Number(process.env['MANAGEMENT_SWAPS'] ?? 10);

for (const threads of [1, 2]) {
  t.test(
    `hot swap and scale under 64 connections lose nothing, ${threads} HTTP threads`,
    async t => {
      const [first = '', second = ''] = await versionsOf(t, 'a', 'b');
      const server = await serve(t, '--http-threads', String(threads));
      const urls: Record<string, string> = { a: first, b: second };
      const register = (version: string) =>
        ask(server, 'POST', registerPath(urls[version] ?? '', '&model_name=hot&initial_workers=1'));
      t.same(await register('a'), scaled);
      const clients = await Promise.all(
        Array.from({ length: 64 }, () => openClient(server.inference)),
      );
      t.teardown(() => clients.map(({ socket }) => socket.destroy()));
      let done = false;
      let answers = 0;
      const wrong: string[] = [];
      const load = clients.map(async ({ ask }) => {
        while (!done) {
          const reply = await ask(rawPost('/predictions/hot', rows));
          answers++;
          if (!reply?.startsWith('HTTP/1.1 200 '))
            wrong.push(`${reply?.slice(0, 20)} ${bodyOf(reply)}`);
        }
      });
      let old = 'a';
      for (let swap = 0; swap < swaps; swap++) {
        const next = old === 'a' ? 'b' : 'a';
        t.same(await register(next), scaled);
        const seen = answers;
        t.equal((await ask(server, 'PUT', `/models/hot/${next}/set-default`)).status, 200);
        t.equal((await ask(server, 'DELETE', `/models/hot/${old}`)).status, 200);
        const lanes = 1 + (swap % 2);
        t.same(
          await ask(server, 'PUT', `/models/hot?min_worker=${lanes}&synchronous=true`),
          scaled,
        );
        await until(() => answers > seen + 64);
        old = next;
      }
      done = true;
      await Promise.all(load);
      t.same(wrong.slice(0, 3), [], `${answers} answers over ${swaps} swaps`);
    },
  );
}
