// SPDX-License-Identifier: Apache-2.0
// Reports of a kind: one in a while, the others counted, and no more kinds than memory is meant for.
import t, { type Test } from 'tap';
import { createThrottle, kindOf } from '../../server/throttle.js';

/** A throttle of 1000 ms whose clock the test moves. */
function createAt(t: Test) {
  const clock = { nowMs: 5000 };
  t.capture(performance, 'now', () => clock.nowMs);
  return { throttle: createThrottle(1000), clock };
}

t.test('one of a kind in a while, and the next one counts those between', async t => {
  const { throttle, clock } = createAt(t);
  t.equal(throttle.pass('a'), 0);
  t.equal(throttle.pass('a'), undefined);
  t.equal(throttle.pass('b'), 0, 'another kind');
  clock.nowMs += 999;
  t.equal(throttle.pass('a'), undefined);
  clock.nowMs += 1;
  t.equal(throttle.pass('a'), 2);
  t.equal(throttle.pass('a'), undefined);
});

t.test('what is held back at the end is told once', async t => {
  const { throttle } = createAt(t);
  for (const kind of ['a', 'b', 'a', 'a']) throttle.pass(kind);
  t.same(throttle.takeHeld(), [{ kind: 'a', held: 2 }]);
  t.same(throttle.takeHeld(), []);
});

t.test('kinds beyond a thousand are not remembered', async t => {
  const { throttle } = createAt(t);
  for (let kind = 0; kind < 1000; kind++) throttle.pass(`kind ${kind}`);
  t.equal(throttle.pass('kind 0'), undefined, 'a thousand are');
  t.equal(throttle.pass('one more'), 0);
  t.equal(throttle.pass('kind 0'), 0, 'it was forgotten, so that memory stays bounded');
});

t.test('messages that differ in numbers are of one kind', async t => {
  t.equal(kindOf('index 50 of 4'), kindOf('index 7 of 12'));
  t.not(kindOf('index 50 of 4'), kindOf('shape 50 of 4'));
  t.equal(kindOf('x'.repeat(1000)).length, 120);
});
