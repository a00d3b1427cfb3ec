// SPDX-License-Identifier: Apache-2.0
// Shares of traffic: by weight, by key, by name.
import t from 'tap';
import { seededRandom } from '../../bench/onnx.js';
import { choose, type Traffic } from '../../server/traffic.js';

function traffic(...weights: readonly number[]): Traffic {
  const variants = weights.map((weight, index) => ({
    name: 'ABC'[index] ?? '',
    version: `${index}`,
    weight,
  }));
  return { variants };
}

/** How many of 10,000 requests each variant gets. */
function counts(shared: Traffic, keyOf: (request: number) => string = () => ''): number[] {
  const random = seededRandom(7);
  const found = new Map(shared.variants.map(({ name }) => [name, 0]));
  for (let request = 0; request < 10_000; request++) {
    const name = choose(shared, { target: '', key: keyOf(request) }, random)?.name ?? 'none';
    found.set(name, (found.get(name) ?? 0) + 1);
  }
  return [...found.values()];
}

const shares = [
  { weights: [1, 1], expected: [5000, 5000] },
  { weights: [25, 75], expected: [2500, 7500] },
  { weights: [0, 1], expected: [0, 10_000] },
  { weights: [1, 0], expected: [10_000, 0] },
  { weights: [0.1, 0.1, 0.2], expected: [2500, 2500, 5000] },
] as const;

for (const { weights, expected } of shares) {
  for (const [by, keyOf] of [
    ['chance', () => ''],
    ['key', (request: number) => `user-${request}`],
  ] as const) {
    t.test(`weights ${weights.join(':')} by ${by}`, async t => {
      const got = counts(traffic(...weights), keyOf);
      t.equal(got.length, expected.length, 'no request goes anywhere else');
      for (const [index, count] of got.entries()) {
        const wanted = expected[index] ?? 0;
        const within = wanted === 0 || wanted === 10_000 ? 0 : 200;
        t.ok(Math.abs(count - wanted) <= within, `${count} of ${wanted}`);
      }
    });
  }
}

t.test('a key keeps its variant, and a new weight moves keys one way only', async t => {
  const keys = Array.from({ length: 1000 }, (_, index) => `user-${index}`);
  const nameOf = (shared: Traffic, key: string) => choose(shared, { target: '', key })?.name ?? '';
  const before = keys.map(key => nameOf(traffic(1, 1), key));
  t.same(
    keys.map(key => nameOf(traffic(1, 1), key)),
    before,
  );
  const after = keys.map(key => nameOf(traffic(1, 3), key));
  const moves = new Set(
    keys.flatMap((_, index) =>
      before[index] === after[index] ? [] : [`${before[index]}${after[index]}`],
    ),
  );
  t.same([...moves], ['AB']);
});

t.test('a variant is had by name, also without a weight, and only if it is there', async t => {
  t.equal(choose(traffic(0, 1), { target: 'A', key: 'x' })?.version, '0');
  t.equal(choose(traffic(0, 1), { target: 'D', key: '' }), undefined);
});

t.test('chance at its very end still finds a variant that has a weight', async t => {
  t.equal(choose(traffic(0.1, 0.2, 0), { target: '', key: '' }, () => 1 - 2 ** -53)?.name, 'B');
});
