// SPDX-License-Identifier: Apache-2.0
// Small requests and answers through the buffers that lib shares with the addon: lib's half of the layout, and what callers see.
import t from 'tap';
import { flatBuffer, readAnswers, readTensor, writeRequest } from '../../lib/flat.js';
import { loadModel } from '../../lib/index.js';
import type { Inputs } from '../../lib/inputs.js';
import { failure, fixture, until } from '../helpers.js';

t.test('a request is written as the layout says', async t => {
  const flat = flatBuffer();
  const inputs = [{ spec: { type: 'float32' } }, { spec: { type: 'uint8' } }] as const;
  const data = [Float32Array.of(0.5, -2, 8), Uint8Array.of(7, 9)];
  const wrote = () => writeRequest(flat, { id: 2 ** 40, model: 3, inputs }, data, [2, 1, 3, 1, 2]);
  t.ok(wrote());
  t.ok(wrote(), 'a second one');
  const view = new DataView(flat.bytes);
  const words = (at: number, count: number) =>
    Array.from({ length: count }, (_, index) => view.getInt32(at + 4 * index, true));
  t.equal(view.getInt32(0, true), 2 * 64, 'bytes of the records');
  for (const at of [8, 72]) {
    t.same(words(at, 2), [64, 3], 'bytes and model');
    t.equal(view.getFloat64(at + 8, true), 2 ** 40);
    t.same(words(at + 16, 3), [2, 1, 3], 'rank and dims');
    t.same(new Float32Array(flat.bytes, at + 32, 3), data[0]);
    t.same(words(at + 48, 2), [1, 2], 'rank and dims of the second');
    t.same(new Uint8Array(flat.bytes, at + 56, 2), data[1]);
  }
});

const others = [
  { name: 'with strings', type: 'string', data: [['a']] },
  { name: 'without one of its inputs', type: 'float32', data: [undefined] },
  { name: 'of more than 1 KiB', type: 'float32', data: [new Float32Array(257)] },
] as const;

for (const { name, type, data } of others) {
  t.test(`a request ${name} is not written`, async t => {
    const flat = flatBuffer();
    const request = { id: 1, model: 1, inputs: [{ spec: { type } }] };
    t.notOk(writeRequest(flat, request, data, [1, data[0]?.length ?? 0]));
    t.equal(flat.words[0], 0);
  });
}

t.test('a full buffer takes no more, and keeps what it has', async t => {
  const flat = flatBuffer();
  const inputs = [{ spec: { type: 'int8' } }] as const;
  const write = (id: number) =>
    writeRequest(flat, { id, model: 1, inputs }, [new Int8Array(1000).fill(id)], [1, 1000]);
  let id = 0;
  while (write(id + 1)) id++;
  const record = 16 + 8 + 1000;
  t.equal(id, Math.floor((flat.bytes.byteLength - 8) / record));
  t.equal(flat.words[0], id * record);
  t.equal(new Int8Array(flat.bytes)[8 + id * record - 1], id, 'the last byte of the last one');
});

t.test('answers are read as the layout says, and then gone', async t => {
  const flat = flatBuffer();
  const view = new DataView(flat.bytes);
  view.setInt32(0, 56 + 24, true);
  const begin = (at: number, bytes: number, id: number) => {
    view.setInt32(at, bytes, true);
    view.setFloat64(at + 8, id, true);
  };
  begin(8, 56, 5);
  for (const [index, word] of [2, 1, 2].entries()) view.setInt32(24 + 4 * index, word, true);
  new BigInt64Array(flat.bytes, 40, 2).set([-1n, 2n ** 60n]);
  view.setInt32(56, 0, true); // a scalar
  begin(64, 24, 2 ** 33);
  view.setInt32(80, 1, true); // one axis of length 0
  const got: unknown[] = [];
  readAnswers(flat, id => got.push(id, readTensor(flat, 'int64')));
  t.same(got, [
    5,
    { type: 'int64', shape: [1, 2], data: BigInt64Array.of(-1n, 2n ** 60n) },
    2 ** 33,
    { type: 'int64', shape: [0], data: new BigInt64Array(0) },
  ]);
  t.equal(flat.words[0], 0);
});

t.test('a length in bytes that a caller gave its array does not count', async t => {
  const model = await loadModel(fixture('identity_float32.onnx'));
  t.teardown(() => model.close());
  let reads = 0;
  for (const own of [{ value: -64 }, { value: 2 ** 40 }, { get: () => reads++ }]) {
    const lying = Object.defineProperty(Float32Array.of(1, 2), 'byteLength', own);
    const calls = [Float32Array.of(3, 4), lying, Float32Array.of(5, 6)].map(x =>
      model.predict({ x }),
    );
    const answers = (await Promise.all(calls)).map(({ y }) => y?.data);
    const sent = [Float32Array.of(3, 4), Float32Array.of(1, 2), Float32Array.of(5, 6)];
    t.same(answers, sent);
  }
  t.equal(reads, 0);
});

t.test('elements that do not fit their shape any more fail their own request', async t => {
  const model = await loadModel(fixture('two_inputs.onnx'));
  t.teardown(() => model.close());
  const a = Float32Array.of(1, 2);
  const b = BigInt64Array.of(1n, 2n, 3n);
  const inputs = {
    a,
    get b() {
      structuredClone(0, { transfer: [a.buffer] });
      return b;
    },
  };
  const good = model.predict({ a: Float32Array.of(1, 2), b });
  t.match(await failure(model.predict(inputs)), { code: 'INFER_BAD_INPUT', message: /"a"/ });
  t.same((await good)['sum']?.data, Float32Array.of(9));
  const longer = Object.defineProperty(Float32Array.of(1, 2), 'length', { value: 4 });
  const lying = { a: longer, b: new BigInt64Array(6) };
  t.match(await failure(model.predict(lying)), { code: 'INFER_BAD_INPUT', message: /"a"/ });
});

t.test('each answer has an array of its own with every bit of it', async t => {
  const model = await loadModel(fixture('identity_float32.onnx'));
  t.teardown(() => model.close());
  const odd = new Float32Array(new Uint32Array([0x7fa00001, 0x80000000]).buffer);
  const answers = await Promise.all([model.predict({ x: odd }), model.predict({ x: odd })]);
  const [data, other] = answers.map(({ y }) => y?.data as Float32Array);
  if (data === undefined) return;
  t.equal(data.buffer.byteLength, 8);
  t.not(data.buffer, other?.buffer);
  t.same([...new Uint32Array(data.buffer)], [0x7fa00001, 0x80000000]);
});

t.test('a request that a getter makes meanwhile harms neither', async t => {
  const model = await loadModel(fixture('identity_float32.onnx'));
  t.teardown(() => model.close());
  let inner: ReturnType<typeof model.predict> | undefined;
  const inputs: Inputs = {
    get x() {
      inner = model.predict({ x: Float32Array.of(1, 2) });
      return Float32Array.of(3, 4);
    },
  };
  t.same((await model.predict(inputs)).y?.data, Float32Array.of(3, 4));
  t.same((await inner)?.y?.data, Float32Array.of(1, 2));
});

for (const others of [1, 0]) {
  const outcome = others > 0 ? 'is answered with them' : 'is refused';
  t.test(`with ${others} in flight, one whose getter closes the model ${outcome}`, async t => {
    const model = await loadModel(fixture('identity_float32.onnx'));
    let closing: Promise<void> | undefined;
    const before = Array.from({ length: others }, () => model.predict({ x: new Float32Array(2) }));
    const inputs: Inputs = {
      get x() {
        closing = model.close();
        return Float32Array.of(3, 4);
      },
    };
    const during = model.predict(inputs);
    if (others > 0) t.same((await during).y?.data, Float32Array.of(3, 4));
    else t.equal((await failure(during)).code, 'INFER_CLOSED');
    await Promise.all([...before, closing]);
  });
}

t.test('more small calls in one turn than a buffer holds are all answered', async t => {
  const model = await loadModel(fixture('identity_float32.onnx'), {
    batching: { maxQueue: 10_000, maxQueueRows: 10_000 },
  });
  t.teardown(() => model.close());
  const calls = Array.from({ length: 5000 }, (_, at) =>
    model.predict({ x: Float32Array.of(at, -at) }),
  );
  const answers = (await Promise.all(calls)).map(({ y }) => y?.data as Float32Array);
  t.ok(answers.every((data, at) => data[0] === at && data[1] === 0 - at));
});

/** Calls of one turn, in which none ends; `direct` ones have a deadline and so go to the addon by themselves. */
async function outcomes(maxQueue: number, direct: readonly boolean[]) {
  const model = await loadModel(fixture('spin.onnx'), {
    batching: { maxQueue },
    placement: { lanes: 1 },
  });
  const work = (trips: number) => ({
    x: new Float32Array(64),
    iterations: BigInt64Array.of(BigInt(trips)),
  });
  const busy = new AbortController();
  const running = model.predict(work(2 ** 40), { signal: busy.signal }).catch(() => {});
  await until(() => model.stats().inFlight === 1);
  const calls = direct.map(own =>
    model.predict(work(2), own ? { timeoutMs: 2 ** 30 } : {}).then(
      () => 'answered',
      (error: { code: string }) => error.code,
    ),
  );
  await until(() => model.stats().queueDepth === maxQueue);
  busy.abort();
  const codes = await Promise.all(calls);
  await running;
  await model.close();
  return { codes, refused: model.stats().errors.INFER_QUEUE_FULL };
}

t.test('calls of one turn keep their order, whichever way they go', async t => {
  const { codes } = await outcomes(4, [false, true, false, false, true, false, true]);
  const expected = codes.map((_, at) => (at < 4 ? 'answered' : 'INFER_QUEUE_FULL'));
  t.equal(expected.length, 7);
  t.same(codes, expected);
});

t.test('small calls beyond the queue are refused, each and no others', async t => {
  const { codes, refused } = await outcomes(16, new Array(1000).fill(false));
  t.equal(codes.filter(code => code === 'answered').length, 16);
  t.equal(codes.filter(code => code === 'INFER_QUEUE_FULL').length, 984);
  t.equal(refused, 984);
});
