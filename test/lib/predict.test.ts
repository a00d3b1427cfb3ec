// SPDX-License-Identifier: Apache-2.0
// Right inputs of predict(): every recorded case of every fixture, and every way to give an input.

import { createContext, runInContext } from 'node:vm';
import t, { type Test } from 'tap';
import { elementTypes, loadModel, type Tensor, type TensorData } from '../../lib/index.js';
import { fixture, root, textOf } from '../helpers.js';

interface Recorded {
  readonly type: Tensor['type'];
  readonly shape: readonly number[];
  readonly data?: readonly (number | string)[];
  readonly everyValueOfRow?: readonly number[];
}
interface RecordedCase {
  readonly inputs?: Readonly<Record<string, Recorded>>;
  readonly outputs?: Readonly<Record<string, Recorded>>;
  readonly fails?: string;
}
interface RecordedFile {
  readonly tolerance: number;
  readonly models: Readonly<Record<string, readonly RecordedCase[]>>;
}
const { models, tolerance } = JSON.parse(textOf('test/fixtures/expected.json')) as RecordedFile;

/** The elements of a recorded tensor in the array class of its type. */
function elementsOf({ type, shape, data, everyValueOfRow }: Recorded): TensorData {
  const size = shape.slice(1).reduce((product, axis) => product * axis, 1);
  const values =
    data ?? (everyValueOfRow ?? []).flatMap(value => new Array<number>(size).fill(value));
  const { array } = elementTypes[type];
  if (array === undefined) return values as string[];
  const elements = new array(values.length);
  const big = elements instanceof BigInt64Array || elements instanceof BigUint64Array;
  for (const [index, value] of values.entries())
    elements[index] = big ? BigInt(value) : Number(value);
  return elements;
}

/** The bytes of numeric data, so that NaN and -0 are compared as they are. */
function bits(data: TensorData): Buffer | readonly string[] {
  return ArrayBuffer.isView(data)
    ? Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    : data;
}

function furthest(got: TensorData, wanted: TensorData): number {
  let most = 0;
  for (const [index, value] of wanted.entries()) {
    const distance = Math.abs(Number(got[index]) - Number(value));
    if (!(distance <= most)) most = distance;
  }
  return most;
}

function checkTensor(t: Test, name: string, [got, wanted]: [Tensor | undefined, Recorded]): void {
  if (got === undefined) return void t.fail(`output ${name} is missing`);
  const expected = elementsOf(wanted);
  t.equal(got.type, wanted.type, `${name}: type`);
  t.same(got.shape, wanted.shape, `${name}: shape`);
  t.equal(got.data.constructor, expected.constructor, `${name}: class of the data`);
  t.equal(got.data.length, expected.length, `${name}: number of elements`);
  if (
    wanted.type === 'float32' &&
    wanted.everyValueOfRow === undefined &&
    !/identity/.test(t.fullname)
  ) {
    t.ok(furthest(got.data, expected) <= tolerance, `${name}: within ${tolerance}`);
  } else {
    t.same(bits(got.data), bits(expected), `${name}: bit for bit`);
  }
}

let examined = 0;
for (const [model, cases] of Object.entries(models)) {
  const runnable = cases.filter(recorded => recorded.outputs !== undefined);
  if (runnable.length === 0) continue;
  t.test(`${model} gives the recorded values`, async t => {
    const loaded = await loadModel(fixture(`${model}.onnx`));
    t.teardown(() => loaded.close());
    for (const { inputs = {}, outputs = {} } of runnable) {
      const given = Object.entries(inputs).map(([name, recorded]) => [
        name,
        { type: recorded.type, shape: recorded.shape, data: elementsOf(recorded) },
      ]);
      const got = await loaded.predict(Object.fromEntries(given));
      t.same(Object.keys(got).sort(), Object.keys(outputs).sort(), 'names of the outputs');
      for (const [name, wanted] of Object.entries(outputs))
        checkTensor(t, name, [got[name], wanted]);
    }
  });
  examined += runnable.length;
}
t.ok(examined >= 30, `${examined} recorded cases were examined`);

const affine = await loadModel(fixture('affine.onnx'));
t.teardown(() => affine.close());
// x = [1, 2, 3, 4] gives [12, 2.5, 12.5]: second case of affine in expected.json.
const row = [1, 2, 3, 4];
const answer = [12, 2.5, 12.5];
const padded = new Float32Array([9, 9, ...row, 9]);
const shared = new Float32Array(new SharedArrayBuffer(16));
shared.set(row);
const foreign = runInContext('new Float32Array([1, 2, 3, 4])', createContext()) as Float32Array;
const sealed = Object.freeze({ x: Object.freeze({ data: new Float32Array(row) }) });
const bare = Object.assign(Object.create(null) as object, { x: new Float32Array(row) });

const forms: readonly { readonly name: string; readonly inputs: unknown }[] = [
  { name: 'a typed array', inputs: { x: new Float32Array(row) } },
  { name: 'only data', inputs: { x: { data: new Float32Array(row) } } },
  {
    name: 'type, shape and data',
    inputs: { x: { type: 'float32', shape: [1, 4], data: new Float32Array(row) } },
  },
  {
    name: 'undefined type and shape',
    inputs: { x: { type: undefined, shape: undefined, data: new Float32Array(row) } },
  },
  { name: 'a view with an offset', inputs: { x: padded.subarray(2, 6) } },
  { name: 'a view of shared memory', inputs: { x: shared } },
  { name: 'an array of another realm', inputs: { x: foreign } },
  { name: 'frozen objects', inputs: sealed },
  { name: 'an object without prototype', inputs: bare },
];
for (const { name, inputs } of forms) {
  t.test(`an input may be given as ${name}`, async t => {
    const { y } = await affine.predict(inputs as never);
    t.same([...(y?.data ?? [])], answer);
    t.same(y?.shape, [1, 3]);
  });
}

t.test('rows follow from the number of elements', async t => {
  for (const rows of [0, 1, 2, 100]) {
    const { y } = await affine.predict({ x: new Float32Array(rows * 4) });
    t.same(y?.shape, [rows, 3]);
  }
});

t.test('elements are copied: the caller may reuse or transfer the array at once', async t => {
  const x = new Float32Array(row);
  const first = affine.predict({ x });
  x.fill(7);
  structuredClone(x, { transfer: [x.buffer] });
  t.same([...((await first)['y']?.data ?? [])], answer);
});

t.test('outputs of two requests share no memory', async t => {
  const x = new Float32Array(row);
  const [one, two] = await Promise.all([affine.predict({ x }), affine.predict({ x })]);
  const [first, second] = [one['y']?.data as Float32Array, two['y']?.data as Float32Array];
  t.not(first.buffer, second.buffer);
  first.fill(0);
  t.same([...second], answer);
});

t.test('an output can be given back as an input', async t => {
  const half = await loadModel(fixture('identity_float16.onnx'));
  t.teardown(() => half.close());
  const { y } = await half.predict({ x: new Uint16Array([15360, 1]) });
  t.ok(y !== undefined);
  if (y) t.same((await half.predict({ x: y }))['y'], y);
});

t.test('Int32Array serves as int64, sign included', async t => {
  const long = await loadModel(fixture('identity_int64.onnx'));
  t.teardown(() => long.close());
  const { y } = await long.predict({ x: new Int32Array([-1, 2147483647, -2147483648, 0]) });
  t.same([...(y?.data ?? [])], [-1n, 2147483647n, -2147483648n, 0n]);
});

const Half = (globalThis as { Float16Array?: new (values: number[]) => Uint16Array }).Float16Array;
t.test(
  'Float16Array serves as float16',
  { skip: Half === undefined && 'this Node has no Float16Array' },
  async t => {
    const half = await loadModel(fixture('identity_float16.onnx'));
    t.teardown(() => half.close());
    if (Half === undefined) return;
    const { y } = await half.predict({ x: new Half([1, -2]) });
    t.same([...(y?.data ?? [])], [0x3c00, 0xc000]);
  },
);

t.test(
  'predict() needs no this, and 256 calls at once are answered in the right hands',
  async t => {
    const { predict } = affine;
    const calls = Array.from({ length: 256 }, (_, index) =>
      predict({ x: new Float32Array([index, 0, 0, 0]) }),
    );
    const alone = await predict({ x: new Float32Array([255, 0, 0, 0]) });
    const all = await Promise.all(calls);
    const origin = (await predict({ x: new Float32Array(4) }))['y']?.data as Float32Array;
    t.same(all[255]?.['y']?.data, alone['y']?.data);
    // The model is affine: row i differs from row 0 by i times what row 1 differs by.
    const slope = Number(all[1]?.['y']?.data[0]) - Number(origin[0]);
    t.ok(slope !== 0);
    for (const [index, outputs] of all.entries()) {
      t.ok(Math.abs(Number(outputs['y']?.data[0]) - Number(origin[0]) - index * slope) < 1e-3);
    }
  },
);

t.test('the shipped iris model answers as in the README', async t => {
  const model = await loadModel(`${root}/models/iris`);
  t.teardown(() => model.close());
  const { probabilities } = await model.predict({
    features: new Float32Array([5.1, 3.5, 1.4, 0.2]),
  });
  const [setosa = 0, ...others] = (probabilities?.data ?? []) as Float32Array;
  t.ok(setosa > 0.9 && others.every(other => other < setosa));
  t.same(model.info.postprocess?.['probabilities']?.labels, ['setosa', 'versicolor', 'virginica']);
});

t.test('a request above maxBatch runs in parts and is answered whole', async t => {
  const model = await loadModel(fixture('affine.onnx'), {
    batching: { maxBatch: 8 },
    placement: { lanes: 1 },
  });
  t.teardown(() => model.close());
  const rows = Array.from({ length: 20 }, (_, row) => Float32Array.of(row, 1, -row, 2));
  const single = await Promise.all(rows.map(row => model.predict({ x: row })));
  const before = model.stats();
  const all = await model.predict({ x: Float32Array.from(rows.flatMap(row => [...row])) });
  t.same(all['y']?.shape, [20, 3]);
  const rowsOfSingle = single.flatMap(({ y }) => Array.from((y?.data ?? []) as Float32Array));
  t.same(all['y']?.data, Float32Array.from(rowsOfSingle));
  const after = model.stats();
  t.equal(after.batches - before.batches, 3, 'runs of 8, 8 and 4');
  t.equal(after.requests - before.requests, 1);
  t.equal(after.completed - before.completed, 1);
});
