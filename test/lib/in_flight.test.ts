// SPDX-License-Identifier: Apache-2.0
// Requests in flight by their ids, compared with a Map.
import t from 'tap';
import { inFlight } from '../../lib/in_flight.js';

/** Numbers from 0 up to `below`, the same every time. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

t.test('whatever comes and goes, what is in flight is found by its id', async t => {
  const random = seeded(1);
  const flying = inFlight<string>(2);
  const expected = new Map<number, string>();
  const gone = new Set<number>();
  let most = 0;
  for (let step = 0; step < 20_000; step++) {
    const growing = Math.floor(step / 2000) % 2 === 0;
    if (random(10) < (growing ? 7 : 3)) {
      const id = flying.nextId();
      if (expected.has(id) || gone.has(id)) t.fail(`id ${id} was used before`);
      flying.set(id, `value ${id}`);
      expected.set(id, `value ${id}`);
    } else if (expected.size > 0) {
      const id = [...expected.keys()][random(expected.size)] ?? 0;
      if (flying.get(id) !== expected.get(id)) t.fail(`another value under id ${id}`);
      if (flying.take(id) !== expected.get(id)) t.fail(`another value taken by id ${id}`);
      expected.delete(id);
      gone.add(id);
    }
    most = Math.max(most, expected.size);
  }
  t.ok(most > 500, 'hundreds at a time');
  t.same([...expected.keys()].map(flying.get), [...expected.values()], 'what is left');
  t.ok([...gone].every(id => flying.get(id) === undefined && flying.take(id) === undefined));
});

t.test('ids given out before others are set find their place all the same', async t => {
  const flying = inFlight<number>(2);
  const ids = Array.from({ length: 20 }, () => flying.nextId());
  t.equal(new Set(ids).size, 20, 'twenty ids');
  for (const id of ids) flying.set(id, id);
  t.same(ids.map(flying.take), ids);
});

t.test('one that stays is not lost while a million others pass', async t => {
  const flying = inFlight<string>();
  const first = flying.nextId();
  flying.set(first, 'stays');
  for (let count = 0; count < 1_000_000; count++) {
    const id = flying.nextId();
    flying.set(id, 'passes');
    flying.take(id);
  }
  t.equal(flying.take(first), 'stays');
});
