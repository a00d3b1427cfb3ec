// SPDX-License-Identifier: Apache-2.0
// The registry when changes of one name meet: over shelves that load, fail and fall quiet when they are told to.
import t, { type Test } from 'tap';
import type { Model } from '../../lib/index.js';
import { createRegistry, type RegisterRequest, type Shelves } from '../../server/registry/index.js';
import type { DirectoryEntry, LoadOrder } from '../../server/shelf.js';
import type { Traffic } from '../../server/traffic.js';
import { failure, until } from '../helpers.js';

/** A load that waits to be told how it ends. */
interface Load {
  readonly order: LoadOrder;
  /** @param version  what the files say; what was asked for counts for more. */
  readonly end: (version?: string, lanes?: number) => void;
  readonly fail: () => void;
}

function modelOf({ options }: LoadOrder, version: string, lanes: number, scaled: unknown[]): Model {
  const info = { name: 'm', version, ...options, lanes: Array(lanes).fill({ core: null }) };
  const scale = async (to: unknown) => {
    scaled.push(to);
  };
  return { info, scale } as unknown as Model;
}

const limits = { maxModels: 0, maxBytes: 0, memory: { limitBytes: 1, leftBytes: () => 1 } };

function setUp() {
  const loads = new Map<string, Load>();
  const gone: number[] = [];
  const scaled: unknown[] = [];
  const warnings: unknown[] = [];
  const directory = new Map<string, DirectoryEntry | undefined>();
  let onQuiet: (() => void)[] | undefined;
  const shelves: Shelves = {
    load: order =>
      new Promise((resolve, reject) => {
        const end = (version = '1', lanes = 1) => resolve(modelOf(order, version, lanes, scaled));
        loads.set(order.path, { order, end, fail: () => reject(new Error('broken')) });
      }),
    publish: async (name, entry) => {
      directory.set(name, entry);
    },
    quiet: async (_, limitMs) => {
      if (onQuiet === undefined) return true;
      if (limitMs > 0) await new Promise<void>(resolve => onQuiet?.push(resolve));
      return limitMs > 0;
    },
    unload: async id => {
      gone.push(id);
    },
    uses: async () => new Map(),
  };
  const locate = async (url: string) => {
    return { path: url, options: {}, notes: [], release: async () => {} };
  };
  const warn = (line: unknown) => warnings.push(line);
  const registry = createRegistry({ shelves, locate, warn, limits, usualTimeoutMs: 0 });
  const register = async (url: string, more: Partial<RegisterRequest> = {}) =>
    (await registry.register({ url, name: 'm', workers: 1, ...more })).loaded;
  return {
    registry,
    register,
    gone,
    scaled,
    warnings,
    published: () => directory.get('m'),
    /** Resolves when the files at `url` are being loaded. */
    loadOf: async (url: string): Promise<Load> => {
      await until(() => loads.has(url));
      const load = loads.get(url);
      if (load === undefined) throw new Error(`${url}: not loaded`);
      loads.delete(url);
      return load;
    },
    /** Requests hold all models until the function that is returned is called. */
    keepBusy: () => {
      onQuiet = [];
      return () => {
        for (const resolve of onQuiet?.splice(0) ?? []) resolve();
        onQuiet = undefined;
      };
    },
  };
}

type Setup = ReturnType<typeof setUp>;

async function loaded(setup: Setup, version: string): Promise<void> {
  const done = setup.register(version, { version });
  (await setup.loadOf(version)).end();
  await done;
}

/** That requests for no version find a model. */
function checkDefault(t: Test, { registry, published }: Setup, version: string): void {
  t.equal(registry.versions('m')[0]?.version, version);
  const entry = published();
  t.equal(entry?.defaultVersion, version);
  t.type(entry?.versions.get(version), 'number', 'it is there and runs');
}

t.test('the second of two versions is the default when the first cannot be loaded', async t => {
  const setup = setUp();
  const first = setup.register('a', { version: 'a' });
  const second = setup.register('b', { version: 'b' });
  (await setup.loadOf('a')).fail();
  await t.rejects(first, /broken/);
  (await setup.loadOf('b')).end();
  await second;
  checkDefault(t, setup, 'b');
});

t.test('a version that comes while the only other one goes becomes the default', async t => {
  const setup = setUp();
  await loaded(setup, 'a');
  const calmDown = setup.keepBusy();
  const gone = setup.registry.unregister('m', undefined, 60_000);
  await until(() => setup.published() === undefined);
  const next = setup.register('b', { version: 'b' });
  await until(() => setup.registry.versions('m').length === 2);
  calmDown();
  await gone;
  (await setup.loadOf('b')).end();
  await next;
  checkDefault(t, setup, 'b');
});

t.test('the first model stays the default when its files say another version', async t => {
  const setup = setUp();
  const first = setup.register('a');
  const second = setup.register('b', { version: '2' });
  (await setup.loadOf('a')).end('1.0');
  t.match(await first, { version: '1.0' });
  (await setup.loadOf('b')).end();
  await second;
  checkDefault(t, setup, '1.0');
});

t.test('a model whose files say a version that is taken leaves the default alone', async t => {
  const setup = setUp();
  const first = setup.register('a');
  const second = setup.register('b', { version: '2' });
  await until(() => setup.registry.versions('m').length === 2);
  (await setup.loadOf('a')).end('2');
  t.match(await failure(first), { code: 'INFER_MODEL_EXISTS' });
  (await setup.loadOf('b')).end();
  await second;
  checkDefault(t, setup, '2');
});

function shares(...of: readonly (readonly [version: string, weight: number])[]): Traffic {
  return { variants: of.map(([version, weight]) => ({ name: `v${version}`, version, weight })) };
}

const left = [
  { name: 'the others keep theirs', of: shares(['a', 1], ['b', 1]), kept: shares(['a', 1]) },
  { name: 'none is left', of: shares(['b', 1]), kept: undefined },
  { name: 'no weight is left', of: shares(['a', 0], ['b', 1]), kept: undefined },
] as const;

for (const { name, of, kept } of left) {
  t.test(`a version that cannot be loaded loses its share: ${name}`, async t => {
    const setup = setUp();
    const first = setup.register('a', { version: 'a' });
    await until(() => setup.registry.versions('m').length === 1); // and is in line to be loaded
    const shared = setup.registry.setTraffic('m', of).catch(error => error);
    const second = setup.register('b', { version: 'b' });
    await until(() => setup.registry.versions('m').length === 2);
    (await setup.loadOf('a')).end();
    await first;
    const load = await setup.loadOf('b');
    t.equal(await shared, undefined);
    t.same(setup.published()?.traffic, of);
    load.fail();
    await t.rejects(second, /broken/);
    t.same(setup.published()?.traffic, kept);
    t.match(setup.warnings, [{ event: 'variants_dropped', model: 'm', version: 'b' }]);
  });
}

t.test('a model that is scaled to none waits for its requests only as long as it may', async t => {
  const setup = setUp();
  await loaded(setup, 'a');
  const id = setup.published()?.versions.get('a');
  const calmDown = setup.keepBusy();
  const late = await failure(setup.registry.scale('m', undefined, { min: 0, max: 0 }, 0));
  t.equal(late.code, 'INFER_DEADLINE');
  t.same(setup.gone, []);
  t.equal(setup.published()?.versions.get('a'), id, 'requests are led to it again');
  t.match(setup.registry.versions('m'), [{ minWorkers: 1, model: {} }]);
  const scaled = setup.registry.scale('m', undefined, { min: 0, max: 0 }, 60_000);
  await until(() => setup.published()?.versions.get('a') === undefined);
  t.equal(setup.published()?.versions.has('a'), true, 'known, without workers');
  calmDown();
  await scaled;
  t.same(setup.gone, [id]);
  t.match(setup.registry.versions('m'), [{ minWorkers: 0, model: undefined }]);
  const again = setup.registry.scale('m', undefined, { min: 1, max: 1 }, 0);
  (await setup.loadOf('a')).end();
  await again;
  checkDefault(t, setup, 'a');
});

for (const version of ['all', 'traffic']) {
  t.test(`a version named ${version} is refused, whoever says it`, async t => {
    const setup = setUp();
    const asked = await failure(setup.register('a', { version }));
    t.match(asked, { code: 'INFER_BAD_INPUT', message: /a version other than all and traffic/ });
    const said = setup.register('a');
    (await setup.loadOf('a')).end(version);
    t.equal((await failure(said)).code, 'INFER_BAD_INPUT');
    t.same(setup.registry.list(), []);
  });
}

t.test('the workers that are asked for count for more than the cores of model.json', async t => {
  const setup = setUp();
  const done = setup.register('a');
  (await setup.loadOf('a')).end('1', 3);
  await done;
  t.same(setup.scaled, [{ lanes: 1 }]);
  await setup.registry.scale('m', undefined, { min: 0, max: 0 }, 0);
  const again = setup.registry.scale('m', undefined, { min: 1, max: 1 }, 0);
  (await setup.loadOf('a')).end('1', 3);
  await again;
  t.same(setup.scaled, [{ lanes: 1 }, { lanes: 1 }]);
});

t.test('a registry that closes waits for what goes on, and refuses all else', async t => {
  const setup = setUp();
  const registered = setup.register('a');
  const load = await setup.loadOf('a');
  const late = await failure(setup.registry.close(0));
  t.match(late, { code: 'INFER_DEADLINE', message: /0 ms, but 1 go on/ });
  let isClosed = false;
  const closed = setup.registry.close(60_000).then(() => {
    isClosed = true;
  });
  t.equal((await failure(setup.register('b'))).code, 'INFER_CLOSED');
  for (const change of [
    setup.registry.scale('m', undefined, { min: 0, max: 0 }, 0),
    setup.registry.unregister('m', undefined, 0),
  ]) {
    t.equal((await failure(change)).code, 'INFER_CLOSED');
  }
  t.equal(isClosed, false);
  load.end();
  await Promise.all([registered, closed]);
});
