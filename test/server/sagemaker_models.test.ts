// SPDX-License-Identifier: Apache-2.0
// The contract of SageMaker for many models: load, list, get, invoke, unload, what is refused, and when memory runs out.
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { fixture } from '../helpers.js';
import { hungryModel, tableModel, zerosModel } from '../onnx_bytes.js';
import { openClient, rawPost, spinBody } from './connections.js';
import { call, metric, type Reply, type RunningServer, type ServerOptions } from './helpers.js';
import { baseDirectory, startOnSageMaker } from './sagemaker.js';

/** Where a model is invoked. */
const invokePath = (name: string) => `/models/${name}/invoke`;

const header = 'X-Amzn-SageMaker-Target-Model';

/** A server with many models, and the store that they are in. */
async function setUp(t: Test, env: ServerOptions['env'] = {}, args: readonly string[] = []) {
  const base = await baseDirectory(t);
  const server = await startOnSageMaker(t, base, {
    env: { SAGEMAKER_MULTI_MODEL: 'true', ...env },
    args,
  });
  const store = join(base, 'models');
  /** Puts a model where SageMaker does, or one directory deeper. */
  const put = async (name: string, bytes: Buffer, ...deeper: readonly string[]) => {
    const directory = join(store, name, 'model');
    await mkdir(join(directory, ...deeper), { recursive: true });
    await writeFile(join(directory, ...deeper, 'model.onnx'), bytes);
    return directory;
  };
  return { server, store, put, ...clientOf(server) };
}

interface Answer {
  readonly status: number;
  readonly value: unknown;
}

function clientOf({ inference }: RunningServer) {
  const asked = async (reply: Promise<Reply>): Promise<Answer> => {
    const { status, text } = await reply;
    return { status, value: JSON.parse(text) };
  };
  const json = { 'content-type': 'application/json' };
  const targeted = (target?: string) => (target === undefined ? {} : { [header]: target });
  return {
    load: (name: string, url: string, target?: string) => {
      const body = JSON.stringify({ model_name: name, url });
      return asked(
        call(`${inference}/models`, { headers: { ...json, ...targeted(target) }, body }),
      );
    },
    post: (body: string) => asked(call(`${inference}/models`, { headers: json, body })),
    list: (query = '') => asked(call(`${inference}/models${query}`)),
    get: (name: string) => asked(call(`${inference}/models/${name}`)),
    unload: (name: string, target?: string) =>
      asked(call(`${inference}/models/${name}`, { method: 'DELETE', headers: targeted(target) })),
    invoke: (name: string, target?: string, body = '[0]') =>
      asked(
        call(inference + invokePath(name), {
          headers: { ...json, ...targeted(target) },
          body,
        }),
      ),
  };
}

const loaded = { status: 200, value: { status: 'Workers scaled' } };
const unloaded = (name: string) => {
  return { status: 200, value: { status: `Model "${name}" unregistered` } };
};

t.test('load, list, get, invoke and unload, in the words of SageMaker', async t => {
  const { put, load, list, get, invoke, unload, server } = await setUp(t);
  t.equal((await call(`${server.inference}/ping`)).status, 200, 'without a model');
  const a = await put('a', tableModel(4096, 1));
  const b = await put('b', tableModel(4096, 2), 'deeper');
  t.same(await list(), { status: 200, value: { models: [] } });
  t.same(await load('b', b), loaded);
  const inList = (name: string, url: string) => ({ modelName: name, modelUrl: url });
  t.same((await list()).value, { models: [inList('b', b)] });
  t.match(await load('b', b), { status: 409, value: { code: 409 } });
  t.same(await load('a', a), loaded);
  t.same((await list()).value, { models: [inList('a', a), inList('b', b)] });
  t.match(await get('a'), { status: 200, value: { modelName: 'a', modelUrl: a } });
  t.match(await get('x'), { status: 404, value: { code: 404, message: 'Model not found: x' } });
  t.same(await invoke('a'), { status: 200, value: [1] });
  t.same(await invoke('b'), { status: 200, value: [2] });
  t.match(await invoke('x'), { status: 404 });
  t.same(await unload('a'), unloaded('a'));
  t.match(await invoke('a'), { status: 404 });
  t.match(await unload('a'), { status: 404 });
  t.same(await load('a', a), loaded);
  t.same(await invoke('a'), { status: 200, value: [1] });
});

t.test('what is not in the store is not there, and its answer tells nothing', async t => {
  const { store, load, list } = await setUp(t);
  await symlink('/etc', join(store, 'leads-out'));
  for (const [name, url, status] of [
    ['a', join(store, 'nothing'), 404],
    ['a', '/etc', 404],
    ['a', join(store, 'leads-out'), 404],
    ['a', `${store}/../../etc`, 404],
    ['a', '/proc/self', 400],
    ['a', '/dev', 400],
    ['a', '/sys/../sys/kernel', 404],
    ['a', 'http://127.0.0.1:1/m.onnx', 404],
  ] as const) {
    const answer = await load(name, url);
    t.match(answer, { status, value: { code: status } }, url);
    if (!url.startsWith('/') || url.includes('..') || status === 400) continue;
    t.match(answer.value, { message: `Model not found in model store: ${url}` });
  }
  t.same((await list()).value, { models: [] });
});

t.test('a load that cannot be understood is refused', async t => {
  const { put, post, load, get, unload, invoke } = await setUp(t);
  const a = await put('a', tableModel(4096, 1));
  for (const body of [
    '{',
    '[]',
    '{}',
    JSON.stringify({ url: a }),
    JSON.stringify({ model_name: 'a' }),
    JSON.stringify({ model_name: {}, url: a }),
    JSON.stringify({ model_name: '', url: a }),
    JSON.stringify({ model_name: 'a\n', url: a }),
    JSON.stringify({ model_name: 'a/b', url: a }),
    JSON.stringify({ model_name: 'a'.repeat(513), url: a }),
  ]) {
    t.match(await post(body), { status: 400, value: { code: 400 } }, body.slice(0, 40));
  }
  const broken = await put('broken', Buffer.from('no model'));
  t.match(await load('broken', broken), { status: 400 });
  const odd = `ä %"'${'x'.repeat(500)}`;
  t.same(await load(odd, a), loaded);
  const path = encodeURIComponent(odd);
  t.match(await get(path), { status: 200, value: { modelName: odd } });
  t.same(await invoke(path), { status: 200, value: [1] });
  t.equal((await unload(path)).status, 200);
});

t.test('ten loads of one name at a time: one wins', async t => {
  const { put, load, list } = await setUp(t);
  const a = await put('a', tableModel(4096, 1));
  const answers = await Promise.all(Array.from({ length: 10 }, () => load('a', a)));
  t.same(answers.map(({ status }) => status).sort(), [200, ...Array(9).fill(409)]);
  t.match((await list()).value, { models: { length: 1 } });
});

t.test('the header for the target never chooses a model', async t => {
  const { put, load, invoke, unload } = await setUp(t);
  const [a, b] = [await put('a', tableModel(4096, 1)), await put('b', tableModel(4096, 2))];
  t.same(await load('a', a, 'a.tar.gz'), loaded);
  t.same(await load('b', b, 'b.tar.gz'), loaded);
  t.match(await invoke('b', 'a.tar.gz'), { status: 400 });
  t.match(await unload('b', 'a.tar.gz'), { status: 400 });
  t.same(await invoke('b', 'b.tar.gz'), { status: 200, value: [2] });
  t.same(await invoke('b'), { status: 200, value: [2] });
  t.same(await unload('b', 'b.tar.gz'), unloaded('b'));
});

t.test('pages end without a token', async t => {
  const { put, load, list } = await setUp(t);
  const url = await put('a', tableModel(4096, 1));
  const names = Array.from({ length: 5 }, (_, index) => `m${index}`);
  for (const name of names) t.same(await load(name, url), loaded);
  const page = async (query: string) => {
    const { models, nextPageToken } = (await list(query)).value as {
      models: { modelName: string }[];
      nextPageToken?: string;
    };
    return [models.map(({ modelName }) => modelName).join(), nextPageToken];
  };
  t.same(await page('?limit=2'), ['m0,m1', '2']);
  t.same(await page('?limit=2&next_page_token=2'), ['m2,m3', '4']);
  t.same(await page('?limit=2&next_page_token=4'), ['m4', undefined]);
  t.same(
    await page('?limit=5'),
    [names.join(), undefined],
    'the page is full, and there are no more',
  );
  t.same(await page('?limit=0'), [names.join(), undefined]);
  t.same(await page('?next_page_token=9'), ['', undefined]);
});

t.test('unloading lets a request finish, and answers behind it', async t => {
  const env = { SAGEMAKER_MODEL_SERVER_TIMEOUT: '3600' };
  const { store, load, invoke, unload, server } = await setUp(t, env);
  const directory = join(store, 'spin', 'model');
  await mkdir(directory, { recursive: true });
  await copyFile(fixture('spin.onnx'), join(directory, 'model.onnx'));
  t.same(await load('spin', directory), loaded);
  const client = await openClient(server.inference);
  t.teardown(() => client.socket.destroy());
  const events: string[] = [];
  const answer = client.ask(rawPost('/predictions/spin', spinBody(300_000))).then(reply => {
    events.push('answered');
    return reply;
  });
  while ((await metric(server, 'inference_running{model="spin",version="1"}')) < 1);
  const gone = unload('spin').then(reply => {
    events.push('unloaded');
    return reply;
  });
  while ((await invoke('spin')).status !== 404);
  t.match(await answer, /^HTTP\/1\.1 200 /);
  t.same(await gone, unloaded('spin'));
  t.same(events, ['answered', 'unloaded']);
});

t.test('models are loaded until memory is full; then one makes room for another', async t => {
  const megabyte = 2 ** 20;
  const { put, load, list, invoke, unload } = await setUp(t, {
    INFERENCE_NATIVE_MEMORY_BUDGET_BYTES: String(400 * megabyte),
  });
  const url = (index: number) => put(`m${index}`, tableModel(32 * megabyte, index));
  let count = 0;
  let last = await load('m0', await url(0));
  while (last.status === 200 && count < 20) last = await load(`m${++count}`, await url(count));
  t.match(last, { status: 507, value: { code: 507, message: /memoryBudgetBytes/ } });
  t.ok(count > 2, `${count} were loaded`);
  t.match((await list()).value, { models: { length: count } }, 'nothing is left of the failed one');
  t.same(await invoke('m0'), { status: 200, value: [0] });
  t.same(await unload('m0'), unloaded('m0'));
  t.same(await load(`m${count}`, await url(count)), loaded);
  t.same(await invoke(`m${count}`), { status: 200, value: [count] });
});

t.test('an engine that cannot allocate is answered 507, and all else goes on', async t => {
  const { put, load, list, invoke } = await setUp(t);
  const hungry = await put('hungry', hungryModel());
  await writeFile(join(hungry, 'model.json'), '{ "warmup": "random" }');
  t.match(await load('hungry', hungry), { status: 507 });
  t.same((await list()).value, { models: [] });
  t.same(await load('zeros', await put('zeros', zerosModel())), loaded);
  const body = (count: string) =>
    JSON.stringify({
      inputs: [{ name: 'count', datatype: 'INT64', shape: [1], data: [count] }],
    }).replace(/"(\d+)"/, '$1');
  t.match(await invoke('zeros', undefined, body(String(2 ** 44))), {
    status: 507,
    value: { code: 507, type: 'InternalServerException' },
  });
  t.match(await invoke('zeros', undefined, body('2')), {
    status: 200,
    value: { outputs: [{ data: [0, 0] }] },
  });
});
