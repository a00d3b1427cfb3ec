// SPDX-License-Identifier: Apache-2.0
// The addon's half of the flat layout, with bytes written and read here; also bytes that are no requests.
import t from 'tap';
import { engineLibraries, loadBinding, type NativeResult } from '../../lib/binding.js';
import { defaults } from '../../lib/options.js';
import { fixture, until } from '../helpers.js';

const binding = loadBinding();
const requests = new DataView(new ArrayBuffer(512));
const answers = new DataView(new ArrayBuffer(512));
const outcomes = new Map<number, NativeResult | Float32Array>();
/** Whether answers that were read stay in the buffer, as if they had not been. */
let keepAnswers = false;

/** Every record has one output, float32 [1, 2]. */
function readAnswers(): void {
  if (answers.buffer.byteLength === 0) return; // taken away by a test
  const end = 8 + answers.getInt32(0, true);
  for (let at = 8; at < end; at += answers.getInt32(at, true)) {
    const head = [at, at + 4, at + 16, at + 20, at + 24].map(word => answers.getInt32(word, true));
    t.same(head, [40, 0, 2, 1, 2], 'size, no model, rank, dims');
    const data = Float32Array.of(...new Float32Array(answers.buffer, at + 32, 2));
    outcomes.set(answers.getFloat64(at + 8, true), data);
  }
  if (!keepAnswers) answers.setInt32(0, 0, true);
}

binding.start(
  (ids = [], results = []) => {
    readAnswers();
    for (const [index, id] of ids.entries()) outcomes.set(id, results[index] ?? []);
    setImmediate(() => binding.flush(false));
  },
  () => {},
  requests.buffer,
  answers.buffer,
);

const native = await binding.load({
  engine: 'onnxruntime',
  libraries: engineLibraries(undefined),
  file: fixture('identity_float32.onnx'),
  name: 'flat',
  ...defaults.batching,
  ...{ maxBatch: 0, buckets: [], preferred: [], padding: [], lanes: 1, cores: [] },
  ...{ threadsPerRun: 1, warmup: false, declared: [] },
});
const { number } = native.info();
t.teardown(() => native.close());

interface Bytes {
  used?: number;
  size?: number;
  model?: number;
  rank?: number;
  dims?: readonly [number, number];
}

/** Appends a request with the elements 1.5 and -3, but for what `other` says. */
function write(id: number, other: Bytes = {}): void {
  const { used = 40, size = 40, model = number, rank = 2, dims = [1, 2] } = other;
  const before = requests.getInt32(0, true);
  const at = 8 + before;
  requests.setInt32(0, before + used, true);
  for (const [word, value] of [size, model].entries())
    requests.setInt32(at + 4 * word, value, true);
  requests.setFloat64(at + 8, id, true);
  for (const [word, value] of [rank, ...dims].entries()) {
    requests.setInt32(at + 16 + 4 * word, value, true);
  }
  requests.setFloat32(at + 32, 1.5, true);
  requests.setFloat32(at + 36, -3, true);
}

/** Hands over, and waits for the outcome of one request. */
async function outcomeOf(id: number): Promise<NativeResult | Float32Array | undefined> {
  binding.flush(false);
  await until(() => outcomes.has(id));
  return outcomes.get(id);
}

t.test('requests are read as the layout says, in their order, and answered alike', async t => {
  write(1);
  write(2 ** 40);
  t.same(await outcomeOf(2 ** 40), Float32Array.of(1.5, -3));
  t.same(outcomes.get(1), Float32Array.of(1.5, -3));
  t.equal(requests.getInt32(0, true), 0, 'the addon has emptied the buffer');
});

const wrong: readonly { name: string; bytes: Bytes; code: string }[] = [
  { name: 'of a model that is not there', bytes: { model: -1 }, code: 'INFER_CLOSED' },
  { name: 'of another rank', bytes: { rank: 1 }, code: 'INFER_INTERNAL' },
  { name: 'of a huge rank', bytes: { rank: 2 ** 31 - 1 }, code: 'INFER_INTERNAL' },
  { name: 'with a negative dim', bytes: { dims: [-1, 2] }, code: 'INFER_BAD_INPUT' },
  { name: 'of another shape', bytes: { dims: [1, 3] }, code: 'INFER_BAD_INPUT' },
  { name: 'of more rows than it has', bytes: { dims: [2, 2] }, code: 'INFER_INTERNAL' },
  { name: 'of 2^31 - 1 rows', bytes: { dims: [2 ** 31 - 1, 2] }, code: 'INFER_INTERNAL' },
  { name: 'without tensors', bytes: { size: 16, used: 16 }, code: 'INFER_INTERNAL' },
  { name: 'cut in its elements', bytes: { size: 36, used: 36 }, code: 'INFER_INTERNAL' },
];
let next = 100;

for (const { name, bytes, code } of wrong) {
  t.test(`a request ${name} fails alone`, async t => {
    const [id, good] = [next++, next++];
    write(good);
    write(id, bytes);
    t.match(await outcomeOf(id), { code });
    t.same(await outcomeOf(good), Float32Array.of(1.5, -3));
  });
}

const noRecords: readonly { name: string; bytes: Bytes; id?: number }[] = [
  { name: 'a negative length of all', bytes: { used: -8 } },
  { name: 'more records than the buffer holds', bytes: { used: 512 } },
  { name: 'less than the head of a record', bytes: { used: 8 } },
  { name: 'a record of no bytes', bytes: { size: 0 } },
  { name: 'a record of a negative size', bytes: { size: -40 } },
  { name: 'a record beyond the end', bytes: { size: 48 } },
  { name: 'an id that is no number', bytes: {}, id: Number.NaN },
  { name: 'an id that is no integer', bytes: {}, id: 0.5 },
  { name: 'an id beyond integers', bytes: {}, id: 2 ** 60 },
];

for (const { name, bytes, id = next++ } of noRecords) {
  t.test(`${name} is no request, and the next one is`, async t => {
    write(id, bytes);
    binding.flush(false);
    requests.setInt32(0, 0, true);
    const good = next++;
    write(good);
    t.same(await outcomeOf(good), Float32Array.of(1.5, -3));
    t.notOk(outcomes.has(id));
  });
}

t.test('what comes another way is staged after what lies in the buffer', async t => {
  const [flat, other] = [next++, next++];
  write(flat);
  native.submit(other, [Float32Array.of(1, 2)], [2, 1, 2], 0);
  t.equal(requests.getInt32(0, true), 0);
  await outcomeOf(other);
  t.ok(outcomes.has(flat));
});

t.test('answers that are not read yet stay, and others come another way', async t => {
  const [first, second] = [next++, next++];
  keepAnswers = true;
  write(first);
  await outcomeOf(first);
  write(second);
  t.same(await outcomeOf(second), [Float32Array.of(1.5, -3), [1, 2]]);
  keepAnswers = false;
});

t.test('buffers without memory are used no more', async t => {
  const id = next++;
  structuredClone(0, { transfer: [requests.buffer as ArrayBuffer, answers.buffer as ArrayBuffer] });
  native.submit(id, [Float32Array.of(1, 2)], [2, 1, 2], 0);
  t.same(await outcomeOf(id), [Float32Array.of(1, 2), [1, 2]]);
});
