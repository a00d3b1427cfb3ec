// SPDX-License-Identifier: Apache-2.0
// AbortSignal and deadlines: waiting requests leave at once, running ones are stopped, the lane goes on.
import { getEventListeners } from 'node:events';
import t from 'tap';
import { loadModel, type Model } from '../../lib/index.js';
import { failure, fixture, until } from '../helpers.js';

const x = new Float32Array(64).fill(1);
const endless = BigInt(2 ** 40); // trips of about 1 us: longer than any test

/** A model of one lane, closed when the test ends. */
async function oneLane(
  t: { teardown: (end: () => Promise<void>) => void },
  name: string,
): Promise<Model> {
  const model = await loadModel(fixture('spin.onnx'), { name, placement: { lanes: 1 } });
  t.teardown(() => model.close());
  return model;
}

/** Inputs that run for so many trips. */
function work(trips: bigint) {
  return { x, iterations: new BigInt64Array([trips]) };
}

/** Keeps the lane busy until it is stopped. */
async function occupy(model: Model): Promise<{ stop: () => Promise<void> }> {
  const controller = new AbortController();
  const running = model.predict(work(endless), { signal: controller.signal });
  running.catch(() => {});
  await until(() => model.stats().inFlight === 1);
  return {
    stop: async () => {
      controller.abort();
      await running.catch(() => {});
    },
  };
}

t.test('a signal that is aborted already: nothing is queued', async t => {
  const model = await oneLane(t, 'aborted-before');
  const reason = new Error('caller left');
  const before = model.stats().requests;
  await t.rejects(model.predict(work(1n), { signal: AbortSignal.abort(reason) }), {
    name: 'InferenceError',
    code: 'INFER_CANCELLED',
    cause: reason,
  });
  t.equal(model.stats().requests, before);
});

t.test('a signal that a getter of the inputs aborts: nothing is queued', async t => {
  const model = await oneLane(t, 'aborted-meanwhile');
  const controller = new AbortController();
  const inputs = {
    iterations: new BigInt64Array([2n]),
    get x() {
      controller.abort();
      return x;
    },
  };
  const before = model.stats().requests;
  const call = model.predict(inputs, { signal: controller.signal });
  await t.rejects(call, { code: 'INFER_CANCELLED', cause: controller.signal.reason });
  t.equal(model.stats().requests, before);
});

t.test('a signal that cannot be watched: nothing is queued', async t => {
  const model = await oneLane(t, 'not-watched');
  const signal = Object.assign(new EventTarget(), {
    aborted: false,
    addEventListener: () => {
      throw new Error('from the signal');
    },
  }) as unknown as AbortSignal;
  const before = model.stats().requests;
  const error = await failure(model.predict(work(2n), { signal }));
  t.match(error, { code: 'INFER_BAD_INPUT', message: /from the signal/ });
  t.equal(model.stats().requests, before);
  await t.rejects(model.predict(work(2n), { signal }), { code: 'INFER_BAD_INPUT' }, 'nor later');
});

t.test('a refused request leaves no listener', async t => {
  const model = await loadModel(fixture('spin.onnx'), {
    name: 'refusing',
    placement: { lanes: 1 },
    batching: { maxQueue: 1 },
  });
  t.teardown(() => model.close());
  const busy = await occupy(model);
  const { signal } = new AbortController();
  const calls = Array.from({ length: 3 }, () => model.predict(work(2n), { signal }));
  await t.rejects(Promise.any([calls[1], calls[2]]), AggregateError);
  await busy.stop();
  await calls[0];
  t.equal(getEventListeners(signal, 'abort').length, 0);
});

t.test('a waiting request leaves at once, while the lane is busy', async t => {
  const model = await oneLane(t, 'waiting');
  const busy = await occupy(model);
  const controller = new AbortController();
  const waiting = model.predict(work(1n), { signal: controller.signal });
  await until(() => model.stats().queueDepth === 1);
  const reason = new Error('caller left');
  controller.abort(reason);
  await t.rejects(waiting, { code: 'INFER_CANCELLED', cause: reason });
  t.equal(model.stats().queueDepth, 0);
  t.equal(model.stats().inFlight, 1, 'the other one still runs');
  t.equal(getEventListeners(controller.signal, 'abort').length, 0, 'no listener stays');
  await busy.stop();
  await t.resolves(model.predict(work(2n)), 'the next request succeeds');
});

t.test('a running request is stopped, and the lane goes on', async t => {
  const model = await oneLane(t, 'running');
  const controller = new AbortController();
  const running = model.predict(work(endless), { signal: controller.signal });
  await until(() => model.stats().inFlight === 1);
  controller.abort();
  await t.rejects(running, { code: 'INFER_CANCELLED', cause: controller.signal.reason });
  await t.resolves(model.predict(work(2n)));
});

t.test('aborted in the turn of the call', async t => {
  const model = await oneLane(t, 'same-turn');
  const controller = new AbortController();
  const call = model.predict(work(endless), { signal: controller.signal });
  controller.abort();
  await t.rejects(call, { code: 'INFER_CANCELLED' });
  await t.resolves(model.predict(work(2n)));
});

t.test('one signal for many requests: all leave, no warning, no listener stays', async t => {
  const model = await oneLane(t, 'shared-signal');
  const warnings: Error[] = [];
  const listen = (warning: Error) => warnings.push(warning);
  process.on('warning', listen);
  t.teardown(() => process.off('warning', listen));
  const controller = new AbortController();
  const { signal } = controller;
  const calls = Array.from({ length: 50 }, () => model.predict(work(endless), { signal }));
  t.equal(getEventListeners(signal, 'abort').length, 1);
  await until(() => model.stats().inFlight === 1);
  controller.abort();
  const settled = await Promise.allSettled(calls);
  t.ok(settled.every(call => call.status === 'rejected' && call.reason.code === 'INFER_CANCELLED'));
  t.equal(getEventListeners(signal, 'abort').length, 0);
  await until(() => true);
  t.same(warnings, []);
});

t.test('one signal for requests of two models: both are told', async t => {
  const controller = new AbortController();
  const { signal } = controller;
  const models = await Promise.all([oneLane(t, 'shared-one'), oneLane(t, 'shared-two')]);
  const calls = [0, 1, 0, 1].map(at => models[at]?.predict(work(endless), { signal }));
  controller.abort();
  const settled = await Promise.allSettled(calls);
  t.ok(settled.every(call => call.status === 'rejected' && call.reason.code === 'INFER_CANCELLED'));
});

t.test('many deadlines that pass together while the lane is busy', async t => {
  const model = await oneLane(t, 'late-together');
  const busy = await occupy(model);
  const calls = Array.from({ length: 500 }, () => model.predict(work(1n), { timeoutMs: 5 }));
  const settled = await Promise.allSettled(calls);
  t.ok(settled.every(call => call.status === 'rejected' && call.reason.code === 'INFER_DEADLINE'));
  t.equal(model.stats().queueDepth, 0);
  await busy.stop();
});

t.test('the listener is gone after an answer, and a late abort does nothing', async t => {
  const model = await oneLane(t, 'late-abort');
  const controller = new AbortController();
  const { signal } = controller;
  await Promise.all([model.predict(work(2n), { signal }), model.predict(work(4n), { signal })]);
  t.equal(getEventListeners(signal, 'abort').length, 0);
  controller.abort();
  await t.resolves(model.predict(work(2n)));
});

t.test('a waiting request misses its deadline while the lane is busy', async t => {
  const model = await oneLane(t, 'late-waiting');
  const busy = await occupy(model);
  await t.rejects(model.predict(work(1n), { timeoutMs: 5 }), { code: 'INFER_DEADLINE' });
  t.equal(model.stats().inFlight, 1);
  await busy.stop();
  await t.resolves(model.predict(work(2n), { timeoutMs: 60_000 }));
});

t.test('a running request is stopped at its deadline', async t => {
  const model = await oneLane(t, 'late-running');
  await t.rejects(model.predict(work(endless), { timeoutMs: 20 }), { code: 'INFER_DEADLINE' });
  await t.resolves(model.predict(work(2n)));
});

t.test('limits.timeoutMs is the deadline of a call that names none', async t => {
  const limits = { timeoutMs: 20 };
  const model = await loadModel(fixture('spin.onnx'), { name: 'limited', limits });
  t.teardown(() => model.close());
  await t.rejects(model.predict(work(endless)), { code: 'INFER_DEADLINE' });
  await t.resolves(model.predict(work(50_000n), { timeoutMs: 60_000 }), 'the call overrides it');
});

t.test('signal and deadline together: whichever comes first', async t => {
  const model = await oneLane(t, 'both');
  const controller = new AbortController();
  const { signal } = controller;
  await t.rejects(model.predict(work(endless), { signal, timeoutMs: 20 }), {
    code: 'INFER_DEADLINE',
  });
  const call = model.predict(work(endless), { signal, timeoutMs: 60_000 });
  controller.abort();
  await t.rejects(call, { code: 'INFER_CANCELLED' });
});

const optionCases = [
  {
    name: 'a number',
    options: 5,
    says: 'options: expected an object with "signal", "timeoutMs", got 5',
  },
  {
    name: 'null',
    options: null,
    says: 'options: expected an object with "signal", "timeoutMs", got null',
  },
  {
    name: 'an unknown key',
    options: { timeout: 5 },
    says: 'options: expected only "signal", "timeoutMs", got "timeout"',
  },
  { name: 'timeoutMs 0', options: { timeoutMs: 0 }, says: 'above 0 up to 2147483647, got 0' },
  { name: 'timeoutMs -1', options: { timeoutMs: -1 }, says: 'above 0 up to 2147483647, got -1' },
  {
    name: 'timeoutMs NaN',
    options: { timeoutMs: Number.NaN },
    says: 'above 0 up to 2147483647, got NaN',
  },
  {
    name: 'timeoutMs Infinity',
    options: { timeoutMs: Number.POSITIVE_INFINITY },
    says: 'above 0 up to 2147483647, got Infinity',
  },
  {
    name: 'timeoutMs as text',
    options: { timeoutMs: '5' },
    says: 'above 0 up to 2147483647, got "5"',
  },
  {
    name: 'timeoutMs null',
    options: { timeoutMs: null },
    says: 'above 0 up to 2147483647, got null',
  },
  {
    name: 'signal true',
    options: { signal: true },
    says: 'option "signal": expected an AbortSignal, got true',
  },
  {
    name: 'the controller',
    options: { signal: new AbortController() },
    says: 'expected an AbortSignal, got AbortController',
  },
];
for (const { name, options, says } of optionCases) {
  t.test(`options of predict(), ${name}: refused`, async t => {
    const model = await oneLane(t, 'options');
    const error = await failure(model.predict(work(1n), options as never));
    t.equal(error.code, 'INFER_BAD_INPUT');
    t.ok(error.message.includes(says), error.message);
  });
}
