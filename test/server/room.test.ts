// SPDX-License-Identifier: Apache-2.0
// More models than there is room for: real ones are unloaded, and loaded again when a request comes.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { withModel } from '../../server/protocol/mms/lead.js';
import { listModels } from '../../server/protocol/mms/models.js';
import { createRegistry, type RoomLimits, type Shelves } from '../../server/registry/index.js';
import type { ServerContext } from '../../server/route.js';
import { readConfig } from '../../server/settings.js';
import { createShelf } from '../../server/shelf.js';
import { joinShelves } from '../../server/shelves.js';
import { failure, fixture, until } from '../helpers.js';
import { tableModel } from '../onnx_bytes.js';
import { bodyOf, openClient, rawPost } from './connections.js';
import { call, postJson, startServer } from './helpers.js';

const folder = await mkdtemp(join(tmpdir(), 'room-'));
t.teardown(() => rm(folder, { recursive: true }));
const bytesOfOne = 4096;

/** Directory of a model that answers with its number. */
async function modelOf(value: number, sizeBytes = bytesOfOne): Promise<string> {
  const path = join(folder, `${value}-${sizeBytes}`);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, 'model.onnx'), tableModel(sizeBytes, value));
  return path;
}

const endless = { limitBytes: Number.POSITIVE_INFINITY, leftBytes: () => Number.POSITIVE_INFINITY };

/** @param gate  what loads wait for. */
function setUp(t: Test, limits: Partial<RoomLimits> = {}, gate = Promise.resolve()) {
  const shelf = createShelf();
  t.teardown(shelf.close);
  const joined = joinShelves(shelf, () => []);
  const loads: number[] = [];
  const loaded = new Set<number>();
  let most = 0;
  const shelves: Shelves = {
    ...joined,
    load: async order => {
      loads.push(order.id);
      loaded.add(order.id);
      most = Math.max(most, loaded.size);
      await gate;
      return joined.load(order);
    },
    unload: async id => {
      await joined.unload(id);
      loaded.delete(id);
    },
  };
  const locate = async (path: string) => ({
    path,
    options: {},
    notes: [],
    release: async () => {},
  });
  const registry = createRegistry({
    shelves,
    locate,
    warn: () => {},
    limits: { maxModels: 0, maxBytes: 0, memory: endless, ...limits },
    usualTimeoutMs: 0,
  });
  const server = {
    config: readConfig([], {}),
    find: shelf.find,
    await: (name: string, version?: string) =>
      shelf.await(() => registry.demand(name, version), name, version),
  } as ServerContext;
  const register = async (name: string, url: string, workers = 1) =>
    (await registry.register({ url, name, workers })).loaded;
  /** One request, as the predictions route makes it. */
  const ask = async (name: string, iterations?: bigint) =>
    withModel(server, { name }, async ({ model, hold, release }) => {
      hold();
      try {
        if (iterations === undefined) {
          return (await model.predict({ index: new BigInt64Array([0n]) }))['value']?.data[0];
        }
        const x = new Float32Array(64).fill(1);
        return (await model.predict({ x, iterations: new BigInt64Array([iterations]) }))['y']
          ?.data[0];
      } finally {
        release();
      }
    });
  return { registry, register, ask, loads, mostLoaded: () => most };
}

async function registerAll(setup: ReturnType<typeof setUp>, count: number): Promise<void> {
  for (let value = 0; value < count; value++)
    await setup.register(`m${value}`, await modelOf(value));
}

/** Numbers below `below` that are the same in every run. @source  Numerical Recipes, a linear congruential generator. */
function numbersBelow(below: number): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

for (const callers of [1, 8]) {
  t.test(`100 random requests over 12 models with room for 4, ${callers} at a time`, async t => {
    const setup = setUp(t, { maxModels: 4 });
    await registerAll(setup, 12);
    const next = numbersBelow(12);
    let left = 100;
    const wrong: unknown[] = [];
    const work = async () => {
      while (left-- > 0) {
        const value = next();
        const answer = await setup.ask(`m${value}`);
        if (answer !== value) wrong.push({ value, answer });
      }
    };
    await Promise.all(Array.from({ length: callers }, work));
    t.same(wrong, []);
    t.equal(setup.mostLoaded(), 4);
    t.equal(setup.registry.list().length, 12, 'all stay registered');
    t.ok(setup.loads.length > 12, 'some were loaded again');
  });
}

t.test('two models take turns in room for one, and none waits for ever', async t => {
  const setup = setUp(t, { maxModels: 1 });
  await registerAll(setup, 2);
  const callers = Array.from({ length: 16 }, async (_, index) => {
    for (let turn = 0; turn < 5; turn++) t.equal(await setup.ask(`m${index % 2}`), index % 2);
  });
  await Promise.all(callers);
  t.equal(setup.mostLoaded(), 1);
});

t.test('many who wait for one model wait for one load', async t => {
  const setup = setUp(t, { maxModels: 1 });
  await registerAll(setup, 2);
  const before = setup.loads.length;
  const answers = await Promise.all(Array.from({ length: 50 }, () => setup.ask('m0')));
  t.same(new Set(answers), new Set([0]));
  t.equal(setup.loads.length, before + 1);
});

t.test('the model that was used last stays', async t => {
  const setup = setUp(t, { maxModels: 2 });
  await registerAll(setup, 2);
  await setup.ask('m0');
  await setup.register('m2', await modelOf(2));
  const left = setup.registry.list().filter(({ model }) => model !== undefined);
  t.same(
    left.map(({ name }) => name),
    ['m0', 'm2'],
  );
});

t.test('a request that runs is answered before its model goes', async t => {
  const setup = setUp(t, { maxModels: 1 });
  await setup.register('spin', fixture('spin.onnx'));
  const running = setup.ask('spin', 200_000n);
  await until(() => (setup.registry.list()[0]?.model?.stats().inFlight ?? 0) > 0);
  await setup.register('m0', await modelOf(0));
  t.equal(await running, 1);
  t.equal(await setup.ask('m0'), 0);
  t.equal(await setup.ask('spin', 2n), 1, 'it comes back');
});

t.test('room is also counted in bytes of files', async t => {
  const one = tableModel(bytesOfOne, 0).length;
  const setup = setUp(t, { maxBytes: 2 * one + 1 });
  await registerAll(setup, 3);
  t.equal(setup.mostLoaded(), 2);
  const large = await failure(setup.register('large', await modelOf(9, 4 * bytesOfOne)));
  t.match(large, { code: 'INFER_OUT_OF_MEMORY', message: /maxLoadedBytes/ });
  t.equal(setup.registry.list().length, 3, 'nothing is left of it');
  for (const value of [0, 1, 2]) t.equal(await setup.ask(`m${value}`), value);
});

t.test('a model that is unloaded can be scaled, replaced and removed', async t => {
  const setup = setUp(t, { maxModels: 1 });
  await registerAll(setup, 2);
  const { registry, ask } = setup;
  const isLoaded = (name: string) => registry.versions(name)[0]?.model !== undefined;
  t.notOk(isLoaded('m0'));
  await registry.scale('m0', undefined, { min: 1, max: 1 }, 1000);
  t.ok(isLoaded('m0'));
  t.notOk(isLoaded('m1'));
  await registry.scale('m1', undefined, { min: 0, max: 0 }, 1000);
  await t.rejects(ask('m1'), /No worker/, 'it has no workers, and is not loaded by a request');
  await registry.scale('m1', undefined, { min: 1, max: 1 }, 1000);
  await registry.unregister('m0', undefined, 1000);
  await t.rejects(ask('m0'), /Model not found: m0/);
  t.equal(await ask('m1'), 1);
});

t.test('requests that wait for a model which is removed are told so', async t => {
  const setup = setUp(t, { maxModels: 1 });
  await registerAll(setup, 2);
  const removed = setup.registry.unregister('m0', undefined, 1000);
  await t.rejects(setup.ask('m0'), { code: 'INFER_MODEL_NOT_FOUND' });
  await removed;
});

t.test('a model that does not fit into memory is refused before it is loaded', async t => {
  const urls = [await modelOf(0), await modelOf(1)] as const;
  const one = tableModel(bytesOfOne, 0).length;
  let leftBytes = 2 * one - 1;
  const memory = { limitBytes: 4 * one, leftBytes: () => leftBytes };
  let goOn = () => {};
  const gate = new Promise<void>(resolve => {
    goOn = resolve;
  });
  const setup = setUp(t, { memory }, gate);
  const refused = await failure(setup.register('m0', urls[0]));
  t.match(refused, { code: 'INFER_OUT_OF_MEMORY', message: /memoryBudgetBytes/ });
  t.same([setup.loads, setup.registry.list()], [[], []]);
  leftBytes = 2 * one;
  const first = setup.register('m0', urls[0]);
  await until(() => setup.loads.length === 1);
  const second = await failure(setup.register('m1', urls[1]));
  t.equal(second.code, 'INFER_OUT_OF_MEMORY', 'what is being loaded counts');
  goOn();
  await first;
  await setup.register('m1', urls[1]);
  t.equal(await setup.ask('m1'), 1);
});

/** As many as the needs of SageMaker's endpoints name take half a minute. */
const many = Number(process.env['ROOM_MODELS'] ?? 300);

t.test(`${many} models with room for 8 are listed, paged and loaded again`, async t => {
  const setup = setUp(t, { maxModels: 8 });
  const url = await modelOf(7);
  for (let index = 0; index < many; index++) await setup.register(`m${index}`, url);
  const names: string[] = [];
  let token: string | undefined = '0';
  while (token !== undefined) {
    const page = listModels(setup.registry.list(), `next_page_token=${token}`, true) as {
      models: { modelName: string }[];
      nextPageToken?: string;
    };
    names.push(...page.models.map(({ modelName }) => modelName));
    token = page.nextPageToken;
  }
  const expected = Array.from({ length: many }, (_, index) => `m${index}`).sort();
  t.same(names, expected);
  const next = numbersBelow(many);
  for (let turn = 0; turn < 50; turn++) t.equal(await setup.ask(`m${next()}`), 7);
  t.equal(setup.mostLoaded(), 8);
});

t.test('requests of all HTTP threads wait for the same load', async t => {
  const models = [`a=${await modelOf(1)}`, `b=${await modelOf(2)}`];
  const args = ['--max-loaded-models', '1', '--http-threads', '2'];
  const server = await startServer({ models, args });
  t.teardown(server.stop);
  const clients = await Promise.all(Array.from({ length: 8 }, () => openClient(server.inference)));
  t.teardown(() => clients.map(({ socket }) => socket.destroy()));
  const wrong: unknown[] = [];
  const callers = clients.map(async ({ ask }, index) => {
    for (let turn = 0; turn < 10; turn++) {
      const isFirst = (index + turn) % 2 === 0;
      const reply = await ask(rawPost(`/predictions/${isFirst ? 'a' : 'b'}`, '[0]'));
      if (bodyOf(reply) !== (isFirst ? '[1]' : '[2]')) wrong.push(reply);
    }
  });
  await Promise.all(callers);
  t.same(wrong, []);
  t.match(JSON.parse((await call(`${server.management}/models`)).text), { models: { length: 2 } });
});

t.test('the Open Inference Protocol brings back what was unloaded', async t => {
  const models = [`a=${await modelOf(1)}`, `b=${await modelOf(2)}`];
  const args = ['--max-loaded-models', '1', '--model-control-mode', 'explicit'];
  const { inference, stop } = await startServer({ models, args });
  t.teardown(stop);
  const get = async (path: string) => JSON.parse((await call(inference + path)).text);
  const post = async (path: string, body: object) =>
    JSON.parse((await postJson(inference + path, body)).text);
  const index = [{ name: 'index', datatype: 'INT64', shape: [1], data: [0] }];
  /** Each time the other one is loaded. */
  const perModel: readonly ((name: string, value: number) => Promise<unknown>)[] = [
    async (name, value) => {
      const found = await post(`/v2/models/${name}/infer`, { inputs: index });
      t.match(found, { model_name: name, outputs: [{ name: 'value', data: [value] }] });
    },
    async (name, value) => {
      const found = await post(`/v1/models/${name}:predict`, { instances: [0] });
      t.same(found, { predictions: [value] });
    },
    async name => t.match(await get(`/v2/models/${name}`), { name, inputs: [{ name: 'index' }] }),
    async name => t.match(await get(`/v2/models/${name}/config`), { name, input: { length: 1 } }),
    async name => t.same(await get(`/v2/models/${name}/ready`), { name, ready: true }),
    async name => t.same(await get(`/v1/models/${name}`), { name, ready: true }),
    async name => {
      t.same(await post(`/v2/repository/models/${name}/load`, {}), { name, load: true });
      const { model_stats: loaded } = await get('/v2/models/stats');
      t.match(loaded, { length: 1, 0: { name } });
    },
  ];
  for (const check of perModel) {
    await check('a', 1);
    await check('b', 2);
  }
  t.equal((await call(`${inference}/v2/health/ready`)).status, 200);
  t.same(await get('/v1/models'), { models: ['a', 'b'] });
  t.same(await post('/v2/repository/index', {}), [
    { name: 'a', version: '1', state: 'READY' },
    { name: 'b', version: '1', state: 'READY' },
  ]);
});
