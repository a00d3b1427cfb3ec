// SPDX-License-Identifier: Apache-2.0
// Models on the shelves of several HTTP threads: the same one on all, or none anywhere.
import { copyFile, cp, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import t, { type Test } from 'tap';
import { InferenceError } from '../../lib/index.js';
import { createMemory } from '../../server/memory.js';
import { createPeer } from '../../server/peer.js';
import { createRegistry } from '../../server/registry/index.js';
import { createShelf } from '../../server/shelf.js';
import { joinShelves, type OtherShelf } from '../../server/shelves.js';
import { failure } from '../helpers.js';
import { iris } from './helpers.js';

/** A shelf as another thread has it, which reports what became of each model. */
function otherShelf(events: string[], before: () => Promise<void>): OtherShelf {
  const shelf = createShelf();
  return {
    load: async order => {
      await before();
      await shelf.load(order);
      events.push('loaded');
    },
    publish: async (name, entry) => shelf.publish(name, entry),
    quiet: async (id, limitMs) => {
      await new Promise(resolve => setTimeout(resolve, 10)); // the way there takes longer than no time
      return shelf.quiet(id, limitMs);
    },
    unload: async id => {
      await shelf.unload(id);
      events.push('unloaded');
    },
    uses: async () => shelf.uses(),
  };
}

t.test('a model that one thread cannot load is unloaded when the others have it', async t => {
  const events: string[] = [];
  let goOn = () => {};
  const gate = new Promise<void>(resolve => {
    goOn = resolve;
  });
  const failing = otherShelf(events, async () => {
    setImmediate(goOn);
    throw new InferenceError('INFER_MODEL_INVALID', 'not here');
  });
  const slow = otherShelf(events, () => gate);
  const shelves = joinShelves(createShelf(), () => [failing, slow]);
  const error = await failure(shelves.load({ id: 1, path: iris, options: {} }));
  t.match(error, { code: 'INFER_MODEL_INVALID', message: 'not here' });
  t.same(events, ['loaded', 'unloaded', 'unloaded']);
});

t.test(
  'a model that no request holds can go at once, whatever its threads take to say so',
  async t => {
    const other = otherShelf([], async () => {});
    const registry = createRegistry({
      shelves: joinShelves(createShelf(), () => [other]),
      locate: async path => ({ path, options: {}, notes: [], release: async () => {} }),
      warn: () => {},
      limits: { maxModels: 0, maxBytes: 0, memory: createMemory(0) },
      usualTimeoutMs: 0,
    });
    await (await registry.register({ url: iris })).loaded;
    await registry.unregister('iris', undefined, 0);
    t.same(registry.list(), []);
  },
);

/** A copy of the iris model. */
async function copyOf(t: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'shelves-'));
  t.teardown(() => rm(folder, { recursive: true }));
  await cp(iris, folder, { recursive: true });
  return folder;
}

for (const isReplaced of [false, true]) {
  const result = isReplaced ? 'refused' : 'loaded';
  t.test(`a model whose file is replaced meanwhile: ${isReplaced}, is ${result}`, async t => {
    const path = await copyOf(t);
    const file = join(path, 'model.onnx');
    await copyFile(file, `${path}.new`);
    t.teardown(() => rm(`${path}.new`, { force: true }));
    const events: string[] = [];
    const other = otherShelf(events, async () => {
      if (isReplaced) await rename(`${path}.new`, file);
    });
    const shelves = joinShelves(createShelf(), () => [other]);
    const loading = shelves.load({ id: 1, path, options: {} });
    if (isReplaced) {
      t.match(await failure(loading), { code: 'INFER_MODEL_INVALID', message: /they changed/ });
    } else {
      await loading;
      await shelves.unload(1);
    }
    t.same(events, ['loaded', 'unloaded']);
  });
}

t.test('what lies behind a link is no file of the model', async t => {
  const [path, elsewhere] = [await copyOf(t), await copyOf(t)];
  await symlink(elsewhere, join(path, 'data'));
  await symlink('.', join(path, 'round'));
  const other = otherShelf([], () => writeFile(join(elsewhere, 'labels.txt'), ''));
  const shelves = joinShelves(createShelf(), () => [other]);
  t.equal((await shelves.load({ id: 1, path, options: {} })).info.name, 'iris');
  await shelves.unload(1);
});

t.test('files in folders of a model belong to it', async t => {
  const path = await copyOf(t);
  const file = join(path, 'below', 'weights.bin');
  await mkdir(join(path, 'below'));
  await writeFile(file, '');
  const other = otherShelf([], () => writeFile(file, 'other'));
  const shelves = joinShelves(createShelf(), () => [other]);
  const loading = shelves.load({ id: 1, path, options: {} });
  t.match(await failure(loading), { code: 'INFER_MODEL_INVALID', message: /they changed/ });
});

const thrown = [
  {
    name: 'an InferenceError keeps what programs read of it',
    error: new InferenceError('INFER_QUEUE_FULL', 'full', { detail: 'rows', retryAfterMs: 7 }),
    arrives: { code: 'INFER_QUEUE_FULL', message: 'full', detail: 'rows', retryAfterMs: 7 },
  },
  {
    name: 'any other error stays one',
    error: new TypeError('broken'),
    arrives: { name: 'TypeError', message: 'broken' },
  },
] as const;

for (const { name, error, arrives } of thrown) {
  t.test(`between threads ${name}`, async t => {
    const { port1, port2 } = new MessageChannel();
    t.teardown(() => port1.close());
    createPeer(port1, {
      load: () => {
        throw error;
      },
    });
    const asking = createPeer<{ load: () => void }>(port2, {}).ask('load');
    const got: unknown = await asking.catch(reason => reason);
    t.equal(got instanceof InferenceError, error instanceof InferenceError);
    t.match(got, arrives);
  });
}
