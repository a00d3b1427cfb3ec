// SPDX-License-Identifier: Apache-2.0
// Which files loadModel() reads, and which it refuses: missing, broken, of another engine, outside the directory.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadModel } from '../../lib/index.js';
import { failure, fixture } from '../helpers.js';
import {
  affine,
  type Bad,
  bad,
  directoryOf,
  invalid,
  manifest,
  outside,
  testRefusals,
} from './directories.js';

const cases: readonly Bad[] = [
  // What lies in the directory
  {
    name: 'an empty directory',
    files: {},
    code: 'INFER_MODEL_NOT_FOUND',
    says: 'expected a file that ends in ".onnx", got none',
  },
  {
    name: 'two models',
    files: { 'a.onnx': affine, 'b.onnx': affine },
    code: invalid,
    says: 'expected one model file, got "a.onnx", "b.onnx"; choose one with the key "file"',
  },
  {
    name: 'only a TorchScript model',
    files: { 'model.pt': 'x' },
    code: 'INFER_ENGINE_UNAVAILABLE',
    says: 'model "model.pt" is a TorchScript model; this version runs ".onnx" files',
  },
  {
    name: 'only a Neuron model',
    files: { 'model.neff': 'x' },
    code: 'INFER_ENGINE_UNAVAILABLE',
    says: 'is an AWS Neuron model',
  },
  {
    name: 'a file key that names an archive',
    files: { 'model.json': '{"file":"m.zip"}', 'm.zip': 'x' },
    code: invalid,
    says: 'got ".zip"; unpack the archive',
  },
  {
    name: 'a file key that names text',
    files: { 'model.json': '{"file":"m.txt"}', 'm.txt': 'x' },
    code: invalid,
    says: 'model "m.txt": expected a file that ends in ".onnx", got ".txt"',
  },
  {
    name: 'a file key that names nothing',
    files: manifest({ file: 'other.onnx' }),
    code: 'INFER_MODEL_NOT_FOUND',
    says: 'file "other.onnx" does not exist',
  },
  // Staying inside the directory
  bad(
    'file above the directory',
    { file: '../affine.onnx' },
    'file: expected a relative path inside the directory of the model, got "../affine.onnx"',
  ),
  bad(
    'file by absolute path',
    { file: join(outside, 'affine.onnx') },
    'file: expected a relative path inside',
  ),
  bad(
    'file through a folder and out',
    { file: 'a/../../affine.onnx' },
    'file: expected a relative path inside',
  ),
  bad(
    'file by a path of Windows',
    { file: 'C:\\model.onnx' },
    'file: expected a relative path inside',
  ),
  bad('file that is the directory', { file: '.' }, 'file: expected a regular file, got "."'),
  {
    name: 'file that links out',
    files: { 'model.json': '{"file":"m.onnx"}', 'm.onnx': { link: '../affine.onnx' } },
    code: invalid,
    says: 'got "m.onnx", a link that leads out of it',
  },
  {
    name: 'a folder that links out',
    files: { 'model.json': '{"file":"f/affine.onnx"}', f: { link: '..' } },
    code: invalid,
    says: 'a link that leads out of it',
  },
  {
    name: 'model.json that links out',
    files: { 'model.onnx': affine, 'model.json': { link: '../secret.txt' } },
    code: invalid,
    says: 'model.json: expected a file inside the directory',
  },
  {
    name: 'model.json that links nowhere',
    files: { 'model.onnx': affine, 'model.json': { link: 'gone.json' } },
    code: invalid,
    says: 'model.json "model.json" does not exist',
  },
  bad(
    'labels above the directory',
    { postprocess: { y: { labels: '../secret.txt' } } },
    '"postprocess.y.labels": expected a relative path inside',
  ),
  {
    name: 'labels that link out',
    files: {
      ...manifest({ postprocess: { y: { labels: 'l.txt' } } }),
      'l.txt': { link: '../secret.txt' },
    },
    code: invalid,
    says: 'a link that leads out of it',
  },
  {
    name: 'labels that are a device',
    files: {
      ...manifest({ postprocess: { y: { labels: 'l.txt' } } }),
      'l.txt': { link: '/dev/zero' },
    },
    code: invalid,
    says: 'a link that leads out of it',
  },
  // The model file itself
  {
    name: 'a model file of text',
    files: { 'model.onnx': 'hello' },
    code: invalid,
    says: /model\.onnx/,
  },
  { name: 'an empty model file', files: { 'model.onnx': '' }, code: invalid, says: /model\.onnx/ },
  {
    name: 'an opset of the future',
    files: { 'model.onnx': { fixture: 'future_opset.onnx' } },
    code: invalid,
    says: /opset/i,
  },
  {
    name: 'missing external data',
    files: { 'model.onnx': { fixture: 'missing_external.onnx' } },
    code: invalid,
    says: /missing_external\.bin/,
  },
  {
    name: 'an output that is not a tensor',
    files: { 'model.onnx': { fixture: 'zipmap.onnx' } },
    code: invalid,
    says: /probabilities/,
  },
];

testRefusals(cases);

const paths = [
  {
    name: 'nothing',
    path: undefined,
    code: 'INFER_BAD_INPUT',
    says: 'path: expected the path of a model file or directory, got undefined',
  },
  { name: 'an empty path', path: '', code: 'INFER_BAD_INPUT', says: 'got ""' },
  { name: 'a path with NUL', path: 'a\0b', code: 'INFER_BAD_INPUT', says: 'got "a\\u0000b"' },
  { name: 'a URL', path: new URL('file:///a'), code: 'INFER_BAD_INPUT', says: 'got URL' },
  {
    name: 'a missing path',
    path: join(outside, 'none'),
    code: 'INFER_MODEL_NOT_FOUND',
    says: 'does not exist',
  },
  {
    name: 'a path through a file',
    path: join(outside, 'secret.txt', 'x'),
    code: 'INFER_MODEL_NOT_FOUND',
    says: 'cannot be read (ENOTDIR)',
  },
  {
    name: 'a device',
    path: '/dev/null',
    code: 'INFER_MODEL_INVALID',
    says: 'expected a file or a directory, got neither',
  },
  {
    name: 'a text file',
    path: join(outside, 'secret.txt'),
    code: 'INFER_MODEL_INVALID',
    says: 'expected a file that ends in ".onnx", got ".txt"',
  },
];
for (const { name, path, code, says } of paths) {
  t.test(`${name} as path: refused`, async t => {
    const error = await failure(loadModel(path as string));
    t.equal(error.code, code);
    t.ok(error.message.includes(says), error.message);
  });
}

t.test('a truncated model is refused at any length', async t => {
  const whole = readFileSync(fixture('affine.onnx'));
  for (const share of [0.1, 0.5, 0.9]) {
    const directory = directoryOf({});
    writeFileSync(
      join(directory, 'model.onnx'),
      whole.subarray(0, Math.floor(whole.length * share)),
    );
    await t.rejects(loadModel(directory), { code: 'INFER_MODEL_INVALID' }, `${share} of the file`);
  }
});
