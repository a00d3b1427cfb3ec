// SPDX-License-Identifier: Apache-2.0
// What model.json and options must not say: each mistake is named with its key, the expectation and what came.
import { type Bad, bad, badOption, invalid, manifest, testRefusals } from './directories.js';

const image = { size: [64, 64], colour: 'gray' };
const x = { name: 'x', type: 'float32', shape: [-1, 4] };
const cyclic: Record<string, unknown> = {};
cyclic['limits'] = { timeoutMs: [cyclic] };
const throwing = {
  get name(): string {
    throw new Error('no name today');
  },
};
const revoked = Proxy.revocable({}, {});
revoked.revoke();
const cases: readonly Bad[] = [
  // JSON
  {
    name: 'an empty model.json',
    files: { 'model.json': '' },
    code: invalid,
    says: 'not JSON at line 1, column 1',
  },
  {
    name: 'a trailing comma',
    files: { 'model.json': '{\n  "name": "a",\n}' },
    code: invalid,
    says: 'not JSON at line 3, column 1',
  },
  {
    name: 'an unquoted key',
    files: { 'model.json': '{"a": 1, b: 2}' },
    code: invalid,
    says: 'not JSON at line 1, column 10',
  },
  {
    name: 'a truncated document',
    files: { 'model.json': '{"name": "a"' },
    code: invalid,
    says: 'not JSON at line 1, column 13',
  },
  {
    name: 'NaN',
    files: { 'model.json': '{"limits": {"timeoutMs": NaN}}' },
    code: invalid,
    says: 'not JSON at line 1, column 26',
  },
  {
    name: 'a document too large',
    files: { 'model.json': ' '.repeat(2 ** 20 + 1) },
    code: invalid,
    says: 'expected at most 1048576 bytes, got 1048577',
  },
  bad('a list', [], 'model.json: expected an object with "name", "version"'),
  bad('null', null, 'got null'),
  // Keys and values
  bad(
    'an unknown key',
    { nmae: 'a' },
    'unknown key "nmae"; known keys are "name", "version", "engine"',
  ),
  bad(
    'an unknown nested key',
    { batching: { maxbatch: 4 } },
    '"batching": unknown key "maxbatch"; known keys are "maxBatch", "maxDelayUs", "mode", "preferred", "buckets", "padding", "maxQueue", "maxQueueRows", "maxQueueBytes"',
  ),
  bad('__proto__', JSON.parse('{"__proto__": {"name": "a"}}'), 'unknown key "__proto__"'),
  bad('enginePath in a file', { enginePath: '/lib/x.so' }, 'unknown key "enginePath"'),
  bad('an empty name', { name: '' }, '"name": expected a string of 1 to 512 characters'),
  bad('a name with a slash', { name: 'a/b' }, '"name": expected a string'),
  bad('a numeric version', { version: 1 }, '"version": expected a string of 1 to 64 characters'),
  bad(
    'an unknown engine',
    { engine: 'tensorflow' },
    '"engine": expected "onnxruntime", got "tensorflow"',
  ),
  bad(
    'a batch of none',
    { batching: { maxBatch: 0 } },
    '"batching.maxBatch": expected an integer from 1 to 65536, got 0',
  ),
  bad(
    'a fractional delay',
    { batching: { maxDelayUs: 0.5 } },
    '"batching.maxDelayUs": expected an integer from 0 to 60000000, got 0.5',
  ),
  bad(
    'a queue as text',
    { batching: { maxQueue: '9' } },
    '"batching.maxQueue": expected an integer from 1 to 1000000, got "9"',
  ),
  bad(
    'batching as number',
    { batching: 5 },
    '"batching": expected an object with "maxBatch", "maxDelayUs", "mode", "preferred", "buckets", "padding", "maxQueue", "maxQueueRows", "maxQueueBytes", got 5',
  ),
  bad(
    'no lanes',
    { placement: { lanes: 0 } },
    '"placement.lanes": expected an integer from 1 to 1024, got 0',
  ),
  bad(
    'a core twice',
    { placement: { cores: [0, 0] } },
    '"placement.cores": expected an array of 1 to 1024 different integers from 0 to 65535, got Array of 2',
  ),
  bad(
    'no cores',
    { placement: { cores: [] } },
    '"placement.cores": expected an array of 1 to 1024',
  ),
  bad(
    'a negative core',
    { placement: { cores: [-1] } },
    '"placement.cores.0": expected an integer from 0 to 65535, got -1',
  ),
  bad(
    'a deadline of 0',
    { limits: { timeoutMs: 0 } },
    '"limits.timeoutMs": expected a number above 0 up to 2147483647, got 0',
  ),
  bad('a warm-up by number', { warmup: true }, '"warmup": expected "none" or "random", got true'),
  bad(
    'inputs as object',
    { inputs: {} },
    '"inputs": expected an array of objects with "name", "type", "shape", got Object',
  ),
  bad(
    'an input without shape',
    { inputs: [{ name: 'x', type: 'float32' }] },
    '"inputs.0": key "shape" is missing',
  ),
  bad(
    'an unknown type',
    { inputs: [{ ...x, type: 'float' }] },
    '"inputs.0.type": expected "float32", "float64"',
  ),
  bad(
    'a shape below -1',
    { inputs: [{ ...x, shape: [-2, 4] }] },
    '"inputs.0.shape.0": expected an integer from -1',
  ),
  // Against the file
  bad(
    'another input name',
    { inputs: [{ ...x, name: 'z' }] },
    '"inputs": the file has no "z"; it has "x"',
  ),
  bad(
    'another input type',
    { inputs: [{ ...x, type: 'float64' }] },
    '"inputs": the file has "x" as float32 [-1, 4], got float64 [-1, 4]',
  ),
  bad(
    'another input axis',
    { inputs: [{ ...x, shape: [-1, 5] }] },
    'as float32 [-1, 4], got float32 [-1, 5]',
  ),
  bad('a freed axis', { inputs: [{ ...x, shape: [-1, -1] }] }, 'got float32 [-1, -1]'),
  bad('another rank', { inputs: [{ ...x, shape: [-1, 4, 1] }] }, 'got float32 [-1, 4, 1]'),
  bad('an input twice', { inputs: [x, x] }, '"inputs": expected each name once, got "x", "x"'),
  bad('no outputs', { outputs: [] }, '"outputs": "y" of the file is missing; got none'),
  bad(
    'a narrowed output',
    { outputs: [{ name: 'y', type: 'float32', shape: [1, 3] }] },
    '"outputs": the file has "y" as float32 [-1, 3], got float32 [1, 3]',
  ),
  // Media and classes
  bad(
    'an image without size',
    { preprocess: { x: { image: {} } } },
    '"preprocess.x.image": key "size" is missing',
  ),
  bad('no kind of media', { preprocess: { x: {} } }, '"preprocess.x": key "image" is missing'),
  bad(
    'an unknown kind of media',
    { preprocess: { x: { text: {} } } },
    '"preprocess.x": unknown key "text"; known keys are "image"',
  ),
  bad(
    'a third side',
    { preprocess: { x: { image: { size: [1, 2, 3] } } } },
    '"preprocess.x.image.size": expected an array of 2 integers from 1 to 16384, got Array of 3',
  ),
  bad(
    'an unknown layout',
    { preprocess: { x: { image: { ...image, layout: 'CHW' } } } },
    'expected "NCHW" or "NHWC", got "CHW"',
  ),
  bad(
    'three means for gray',
    { preprocess: { x: { image: { ...image, mean: [0, 0, 0] } } } },
    '"preprocess.x.image.mean": expected 1 number for colour "gray", got 3',
  ),
  bad(
    'one mean for rgb',
    { preprocess: { x: { image: { size: [2, 2], mean: [0] } } } },
    'expected 3 numbers for colour "rgb", got 1',
  ),
  bad(
    'std of 0',
    { preprocess: { x: { image: { ...image, std: [0] } } } },
    '"preprocess.x.image.std": expected numbers other than 0, got 0',
  ),
  bad(
    'a shorter side below size',
    { preprocess: { x: { image: { ...image, shorter: 63 } } } },
    '"preprocess.x.image.shorter": expected at least the larger of size (64), got 63',
  ),
  bad(
    'an image for a flat input',
    { preprocess: { x: { image } } },
    '"preprocess.x.image": makes float32 [-1, 1, 64, 64], but the input is float32 [-1, 4]',
  ),
  bad(
    'an image for no input',
    { preprocess: { z: { image } } },
    '"preprocess": the model has no "z"; it has "x"',
  ),
  bad(
    'classes of no output',
    { postprocess: { z: {} } },
    '"postprocess": the model has no "z"; it has "y"',
  ),
  bad(
    'topK 0',
    { postprocess: { y: { topK: 0 } } },
    '"postprocess.y.topK": expected an integer from 1 to 1000000, got 0',
  ),
  {
    name: 'too few labels',
    files: { ...manifest({ postprocess: { y: { labels: 'l.txt' } } }), 'l.txt': 'a\nb\n' },
    code: invalid,
    says: '"postprocess.y.labels": expected 3 lines for float32 [-1, 3], got 2',
  },
  ...[
    '[]',
    '{',
    '{"0":"a","2":"b"}',
    '{"0":"a","00":"b","2":"c"}',
    '{"x":"a"}',
    '{"0":1}',
    '{}',
  ].map(text => ({
    name: `labels ${text}`,
    files: { ...manifest({ postprocess: { y: { labels: 'l.json' } } }), 'l.json': text },
    code: invalid,
    says: '"postprocess.y.labels" "l.json": expected a JSON object with a name for each number',
  })),
  bad(
    'labels that do not exist',
    { postprocess: { y: { labels: 'l.txt' } } },
    '"postprocess.y.labels" "l.txt" does not exist',
  ),
  // Options
  {
    ...badOption(
      'an image of options without size',
      { preprocess: { x: { image: { scale: 1 } } } },
      '"preprocess.x.image": key "size" is missing',
    ),
    code: invalid,
  },
  {
    ...badOption(
      'preprocessing of options without kind',
      { preprocess: { x: {} } },
      '"preprocess.x": key "image" is missing',
    ),
    code: invalid,
  },
  badOption('options as text', 'fast', 'options: expected an object with "name"'),
  badOption('options within themselves', cyclic, 'options: an object lies within itself'),
  badOption('options that throw', throwing, 'options: cannot be read: no name today'),
  badOption('options of a revoked Proxy', { limits: revoked.proxy }, 'options: cannot be read: '),
  badOption('null options', null, 'options: expected an object'),
  badOption(
    'an unknown option',
    { lanes: 2 },
    'options: unknown key "lanes"; known keys are "name"',
  ),
  badOption(
    'a wrong option',
    { placement: { threadsPerRun: 0 } },
    'options: "placement.threadsPerRun": expected an integer from 1 to 1024, got 0',
  ),
  badOption(
    'an option of NaN',
    { limits: { timeoutMs: Number.NaN } },
    'options: "limits.timeoutMs": expected a number above 0',
  ),
  {
    ...badOption(
      'a device that is not there',
      { placement: { device: 'cuda:0' } },
      'placement.device: this version runs models on "cpu", got "cuda:0"',
    ),
    code: 'INFER_DEVICE_UNAVAILABLE',
  },
  {
    ...badOption(
      'file outside by option',
      { file: '../affine.onnx' },
      'file: expected a relative path inside',
    ),
    code: invalid,
  },
];

testRefusals(cases);
