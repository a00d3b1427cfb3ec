// SPDX-License-Identifier: Apache-2.0
// Slow work takes turns: a few at a time, a bounded line, and out of the line who is no longer wanted.
import { getEventListeners } from 'node:events';
import t from 'tap';
import { createTurns } from '../../server/decode/turns.js';
import { failure } from '../helpers.js';

const never = Number.POSITIVE_INFINITY;

/** Work that ends when it is told to, and a note of what has begun. */
function workshop() {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const work = (name: string) => () => {
    begun.push(name);
    return new Promise<string>(resolve => ends.set(name, () => resolve(name)));
  };
  return { begun, work, end: (name: string) => ends.get(name)?.() };
}

const wanted = () => ({ signal: new AbortController().signal, endsMs: never });

t.test('two at a time, in order', async t => {
  const { take: takeTurn } = createTurns({ atOnce: 2, maxWaiting: 9 });
  const { begun, work, end } = workshop();
  const [a, b, c] = ['a', 'b', 'c'].map(name => takeTurn(work(name), wanted()));
  t.same(begun, ['a', 'b']);
  end('b');
  t.equal(await b, 'b');
  await new Promise(setImmediate);
  t.same(begun, ['a', 'b', 'c']);
  end('a');
  end('c');
  t.same(await Promise.all([a, c]), ['a', 'c']);
});

t.test('a line that is full refuses at once and is free again later', async t => {
  const { take: takeTurn, stats } = createTurns({ atOnce: 1, maxWaiting: 1 });
  const { work, end } = workshop();
  const first = takeTurn(work('first'), wanted());
  t.same(stats(), { waiting: 0, refused: 0 });
  const second = takeTurn(work('second'), wanted());
  t.same(stats(), { waiting: 1, refused: 0 });
  const third = await failure(takeTurn(work('third'), wanted()));
  t.same(stats(), { waiting: 1, refused: 1 });
  t.match(third, { code: 'INFER_QUEUE_FULL', message: /queue is full, 1 images or archives wait/ });
  end('first');
  await first;
  await new Promise(setImmediate);
  const fourth = takeTurn(work('fourth'), wanted());
  end('second');
  await second;
  await new Promise(setImmediate);
  end('fourth');
  t.equal(await fourth, 'fourth');
});

t.test('who goes away leaves the line and is never started', async t => {
  const { take: takeTurn } = createTurns({ atOnce: 1, maxWaiting: 1 });
  const { begun, work, end } = workshop();
  const first = takeTurn(work('first'), wanted());
  const client = new AbortController();
  const gone = failure(takeTurn(work('gone'), { signal: client.signal, endsMs: never }));
  client.abort();
  t.equal((await gone).code, 'INFER_CANCELLED');
  const next = takeTurn(work('next'), wanted());
  end('first');
  await first;
  await new Promise(setImmediate);
  end('next');
  t.equal(await next, 'next');
  t.same(begun, ['first', 'next']);
});

t.test('who is late is told so, waiting or begun, and only the first is started', async t => {
  const { take: takeTurn } = createTurns({ atOnce: 1, maxWaiting: 1 });
  const { begun, work } = workshop();
  t.capture(performance, 'now', () => 1000); // however long the calls take
  const hasty = () => ({ ...wanted(), endsMs: 1005 });
  const late = ['begun', 'waiting'].map(name => failure(takeTurn(work(name), hasty())));
  for (const { code } of await Promise.all(late)) t.equal(code, 'INFER_DEADLINE');
  t.same(begun, ['begun']);
});

const pendingTimers = () => process.getActiveResourcesInfo().filter(kind => kind === 'Timeout');

for (const outcome of ['is done', 'fails', 'is cancelled'] as const) {
  t.test(`work that ${outcome} leaves neither a timer nor a listener behind`, async t => {
    const { take: takeTurn } = createTurns({ atOnce: 1, maxWaiting: 1 });
    const before = pendingTimers().length;
    const client = new AbortController();
    const claim = { signal: client.signal, endsMs: performance.now() + 1_000_000 };
    let end = () => {};
    const work = () =>
      new Promise<void>((resolve, reject) => {
        end = () => (outcome === 'fails' ? reject(new Error('broken')) : resolve());
      });
    const turn = takeTurn(work, claim).catch(() => {});
    t.equal(pendingTimers().length, before + 1, 'its deadline');
    t.equal(getEventListeners(client.signal, 'abort').length, 1);
    if (outcome === 'is cancelled') client.abort();
    else end();
    await turn;
    await new Promise(setImmediate);
    t.equal(pendingTimers().length, before);
    t.equal(getEventListeners(client.signal, 'abort').length, 0);
    end();
  });
}

t.test('work that fails gives its place on', async t => {
  const { take: takeTurn } = createTurns({ atOnce: 1, maxWaiting: 1 });
  const broken = takeTurn(() => Promise.reject(new Error('broken')), wanted());
  const next = takeTurn(async () => 'next', wanted());
  await t.rejects(broken, { message: 'broken' });
  t.equal(await next, 'next');
});
