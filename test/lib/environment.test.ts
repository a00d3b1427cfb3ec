// SPDX-License-Identifier: Apache-2.0
// One JavaScript environment: several copies of the library in it, a signal that throws, and turns for others.
import { getEventListeners } from 'node:events';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { loadBinding } from '../../lib/binding.js';
import type * as Library from '../../lib/index.js';
import { loadModel } from '../../lib/index.js';
import { failure, root } from '../helpers.js';

const iris = () => loadModel(join(root, 'models', 'iris'));
const features = new Float32Array([5.1, 3.5, 1.4, 0.2]);

t.test('a second copy of the library shares the addon with the first', async t => {
  // What a test runner does that evaluates modules anew for each file.
  const copy = join(root, 'dist', `lib-copy-${process.pid}`);
  cpSync(join(root, 'dist', 'lib'), copy, { recursive: true });
  t.teardown(() => rmSync(copy, { recursive: true }));
  const second = (await import(pathToFileURL(join(copy, 'index.js')).href)) as typeof Library;
  t.not(second.loadModel, loadModel, 'it is a copy');
  const models = await Promise.all([iris(), second.loadModel(join(root, 'models', 'iris'))]);
  const answers = await Promise.all(models.map(model => model.predict({ features })));
  t.same(answers[0]?.['probabilities'], answers[1]?.['probabilities'], 'both get their answers');
  const refused = await models[1].predict({}).then(undefined, (error: unknown) => error);
  t.ok(refused instanceof second.InferenceError, 'its errors are of its own class');
  const { signal } = new AbortController();
  for (const model of models) {
    await model.predict({ features }, { signal });
    t.equal(getEventListeners(signal, 'abort').length, 0, 'no listener stays');
  }
  await Promise.all(models.map(model => model.close()));
});

t.test('an answer of the wrong kind is a rejection', async t => {
  interface Requests {
    nextId(): number;
    take(id: number): { readonly kind: string };
    set(id: number, entry: object): void;
  }
  const model = await iris();
  const shared = Object.getOwnPropertyDescriptor(
    loadBinding(),
    Symbol.for('inference-native.environment'),
  )?.value as { readonly pending: Requests };
  const body = Buffer.from('[[5.1,3.5,1.4,0.2]]');
  for (const [call, other, says] of [
    [() => model.predict({ features }), 'json', 'the addon gave tensors, expected bytes'],
    [() => model.predictJson(body), 'tensors', 'the addon gave bytes, expected tensors'],
  ] as const) {
    const answer = call();
    // The id of the call is the one before the next.
    const id = shared.pending.nextId() - 1;
    shared.pending.set(id, { ...shared.pending.take(id), kind: other });
    t.match(await failure(answer), { code: 'INFER_INTERNAL', message: says });
  }
  await model.close();
});

t.test('a signal that throws keeps nobody else from their answer', async t => {
  const model = await iris();
  const signal = {
    aborted: false,
    reason: undefined,
    addEventListener() {},
    removeEventListener() {
      throw new Error('from the signal');
    },
  } as unknown as AbortSignal;
  const thrown = new Promise<unknown>(resolve => {
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.once('uncaughtException', error => {
      for (const other of others) process.on('uncaughtException', other);
      resolve(error);
    });
  });
  const answers = await Promise.all([
    model.predict({ features }, { signal }),
    model.predict({ features }),
    model.predict({ features }),
  ]);
  t.equal(answers.length, 3);
  t.match(await thrown, { message: 'from the signal' }, 'what it threw is not swallowed');
  await model.close();
});

t.test('timers get their turn while a fast model is asked without a pause', async t => {
  const model = await iris();
  let ticks = 0;
  let answered = 0;
  const timer = setInterval(() => ticks++, 1);
  const client = async () => {
    while (answered < 50_000) {
      await model.predict({ features });
      answered++;
    }
  };
  await Promise.all(Array.from({ length: 64 }, client));
  clearInterval(timer);
  t.ok(ticks >= 10, `${ticks} ticks of a 1 ms timer in ${answered} answers`);
  await model.close();
});

t.test('a lone caller who never pauses leaves turns to timers as well', async t => {
  const model = await iris();
  let fired = false;
  setTimeout(() => {
    fired = true;
  }, 1);
  let calls = 0;
  for (; !fired && calls < 1_000_000; calls++) await model.predict({ features });
  t.ok(fired, `the timer fired after ${calls} calls in a row`);
  await model.close();
  t.equal((await failure(model.predict({ features }))).code, 'INFER_CLOSED');
});
