// SPDX-License-Identifier: Apache-2.0
// loadModel(): what a loaded model knows about itself, and how options override model.json.
import { join, relative } from 'node:path';
import t from 'tap';
import { listDevices, loadModel } from '../../lib/index.js';
import { defaults } from '../../lib/options.js';
import { fixture, root } from '../helpers.js';
import { affine, directoryOf, manifest } from './directories.js';

t.test('a file is loaded by any spelling of its path, and named after itself', async t => {
  for (const path of [fixture('affine.onnx'), relative(process.cwd(), fixture('affine.onnx'))]) {
    const model = await loadModel(path);
    t.equal(model.info.name, 'affine');
    t.equal(model.info.path, fixture('affine.onnx'));
    await model.close();
  }
  await t.rejects(loadModel(fixture('affine.onnx'), { file: 'scalar.onnx' }), {
    code: 'INFER_BAD_INPUT',
    message: /"file" chooses within a directory/,
  });
});

t.test('a directory with one model needs no model.json', async t => {
  const directory = directoryOf({ 'any.onnx': affine, 'notes.txt': 'x' });
  const model = await loadModel(`${directory}/`);
  t.teardown(() => model.close());
  const { info } = model;
  t.equal(info.name, directory.split('/').at(-1));
  t.match(info, {
    version: '1',
    engine: 'onnxruntime',
    devices: ['cpu'],
    path: join(directory, 'any.onnx'),
    batching: { maxBatch: 32, ...defaults.batching },
    limits: {},
  });
  t.same(info.signature, {
    inputs: [{ name: 'x', type: 'float32', shape: [-1, 4] }],
    outputs: [{ name: 'y', type: 'float32', shape: [-1, 3] }],
  });
  t.ok(info.lanes.length >= 1);
  t.ok(info.lanes.every(({ core }) => core === null || Number.isInteger(core)));
  t.notOk('preprocess' in info || 'postprocess' in info);
  t.throws(() => Object.assign(info.signature.inputs, { 0: undefined }), 'info is frozen');
});

t.test('links inside the directory are fine, as Kubernetes mounts its volumes', async t => {
  const directory = directoryOf({
    '..2026/model.onnx': affine,
    '..2026/model.json': '{"name": "mounted"}',
    '..data': { link: '..2026' },
    'model.onnx': { link: '..data/model.onnx' },
    'model.json': { link: '..data/model.json' },
  });
  const model = await loadModel(directory);
  t.teardown(() => model.close());
  t.equal(model.info.name, 'mounted');
});

t.test('options override model.json key by key, undefined does not', async t => {
  const directory = directoryOf({
    ...manifest({
      name: 'from-file',
      version: '3',
      batching: { maxBatch: 4, maxQueue: 7 },
      limits: { timeoutMs: 5000, maxRows: 9 },
      postprocess: { y: { labels: 'l.txt', softmax: true } },
    }),
    'l.txt': 'a\r\nb\r\nc\r\n',
  });
  const model = await loadModel(directory, {
    name: 'from-options',
    version: undefined,
    batching: { maxQueue: 8, maxDelayUs: undefined },
    limits: { maxRows: 10 },
    postprocess: { y: { topK: 2 } },
  });
  t.teardown(() => model.close());
  t.match(model.info, {
    name: 'from-options',
    version: '3',
    batching: { ...defaults.batching, maxBatch: 4, maxQueue: 8 },
    limits: { timeoutMs: 5000, maxRows: 10 },
  });
  t.same(model.info.postprocess, { y: { labels: ['a', 'b', 'c'], topK: 2, softmax: true } });
});

t.test('labels come from a file of lines or of JSON', async t => {
  const labels = { '0': ['n1', 'a'], '2': 'c', '1': 'b' };
  const directory = directoryOf({
    ...manifest({ postprocess: { y: { labels: 'index_to_name.json' } } }),
    'index_to_name.json': JSON.stringify(labels),
  });
  const model = await loadModel(directory);
  t.teardown(() => model.close());
  t.same(model.info.postprocess?.['y']?.labels, ['a', 'b', 'c']);
});

t.test('inputs may fix what the file leaves free, and predict() then needs no shape', async t => {
  const inputs = [{ name: 'x', type: 'float32', shape: [-1, 3] }] as const;
  const model = await loadModel(fixture('free_axes.onnx'), { inputs });
  t.teardown(() => model.close());
  t.same(model.info.signature.inputs, inputs);
  const { doubled } = await model.predict({ x: new Float32Array(6) });
  t.same(doubled?.shape, [2, 3]);
  await t.rejects(model.predict({ x: { shape: [3, 2], data: new Float32Array(6) } }), {
    code: 'INFER_BAD_INPUT',
    message: 'input "x": expected shape[1] to be 3 (float32 [-1, 3]), got 2',
  });
});

t.test('the image description of a model is filled in', async t => {
  const model = await loadModel(join(root, 'models/digits'));
  t.teardown(() => model.close());
  t.same(model.info.preprocess, {
    image: {
      image: {
        size: [64, 64],
        resize: 'stretch',
        filter: 'lanczos',
        shorter: 64,
        layout: 'NCHW',
        colour: 'gray',
        scale: 1 / 255,
        mean: [0],
        std: [1],
      },
    },
  });
  t.equal(model.info.postprocess?.['probabilities']?.labels?.length, 10);
});

t.test('images are refused where one run needs several of them', async t => {
  const inputs = [{ name: 'image', type: 'float32', shape: [2, 1, 64, 64] }] as const;
  await t.rejects(loadModel(join(root, 'models/digits'), { inputs }), {
    code: 'INFER_MODEL_INVALID',
    message:
      '"preprocess.image.image": makes float32 [-1, 1, 64, 64], but the input is float32 [2, 1, 64, 64]',
  });
});

t.test("the caller's options stay the caller's", async t => {
  const mean = [0.5];
  const options = {
    preprocess: { image: { image: { mean } } },
    limits: { maxRows: 5 },
    placement: { lanes: 1, cores: undefined },
  };
  const before = structuredClone(options);
  const model = await loadModel(join(root, 'models/digits'), options);
  t.teardown(() => model.close());
  t.same(model.info.preprocess?.['image']?.image.mean, [0.5]);
  t.same(options, before);
  t.notOk(Object.isFrozen(mean) || Object.isFrozen(options.limits));
});

t.test('a warm-up runs before the model is ready', async t => {
  const model = await loadModel(fixture('affine.onnx'), { warmup: 'random', name: 'warm' });
  t.teardown(() => model.close());
  t.ok((await model.predict({ x: new Float32Array(4) }))['y']);
});

t.test('a warm-up keeps to the inputs that are declared', async t => {
  const declared = [{ name: 'x', type: 'float32', shape: [-1, 4] }] as const;
  const model = await loadModel(fixture('squares.onnx'), { warmup: 'random', inputs: declared });
  t.teardown(() => model.close());
  t.same((await model.predict({ x: new Float32Array(4) }))['y']?.shape, [1, 2, 2]);
});

t.test('maxBatch above 1 is refused for a model that cannot batch', async t => {
  await t.rejects(loadModel(fixture('fixed_batch.onnx'), { batching: { maxBatch: 2 } }), {
    code: 'INFER_BAD_INPUT',
    message: /batching\.maxBatch/,
  });
  const model = await loadModel(fixture('fixed_batch.onnx'));
  t.teardown(() => model.close());
  t.equal(model.info.batching.maxBatch, 1);
});

t.test('placement decides the lanes', async t => {
  const [core = 0] = listDevices().cores;
  const model = await loadModel(fixture('affine.onnx'), { placement: { cores: [core] } });
  t.teardown(() => model.close());
  t.same(model.info.lanes, [{ core }]);
  await t.rejects(loadModel(fixture('affine.onnx'), { placement: { cores: [65535] } }), {
    code: 'INFER_BAD_INPUT',
    message: /65535/,
  });
});
