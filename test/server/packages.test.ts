// SPDX-License-Identifier: Apache-2.0
// Archives and directories of other model servers: what of them is found, loaded, served and cleaned up.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { classifierOptions } from '../../server/packages/index.js';
import { failure, fixture } from '../helpers.js';
import { tarGzOf, zipFiles } from './archives.js';
import { digits } from './helpers.js';
import { directoryOf, type Files, fileOf, folder, packages, unpacked } from './package_files.js';
import { register } from './registered.js';

const affine = readFileSync(fixture('affine.onnx'));
const manifest = (model: object, rest: object = {}) =>
  JSON.stringify({ specificationVersion: '1.0', ...rest, model });
const legacy = (model: object) => JSON.stringify({ 'Model-Server': 0.2, Model: model });

interface Case {
  readonly name: string;
  readonly file: string;
  readonly bytes: Buffer;
  readonly info: object;
  readonly notes?: readonly RegExp[];
}

const cases: readonly Case[] = [
  {
    name: 'a .mar of MMS 1.0, whose Python handler is not run',
    file: 'any.mar',
    bytes: zipFiles({
      'MAR-INF/MANIFEST.json': manifest({ modelName: 'resnet', handler: 'service:handle' }),
      'service.py': 'raise SystemExit',
      'weights.onnx': affine,
    }),
    info: { name: 'resnet', version: '1' },
    notes: [/^the Python handler "service:handle" is not run/],
  },
  {
    name: 'a .mar of TorchServe, which names the file and the version',
    file: 'any.mar',
    bytes: zipFiles({
      'MAR-INF/MANIFEST.json': manifest(
        { modelName: 'a', modelVersion: '2.5', serializedFile: 'b.onnx' },
        { createdOn: '01/01/2025 00:00:00', runtime: 'python' },
      ),
      'a.onnx': 'another',
      'b.onnx': affine,
    }),
    info: { name: 'a', version: '2.5', path: /b\.onnx$/ },
  },
  {
    name: 'a .model of MMS 0.x, one folder down and in other case',
    file: 'any.model',
    bytes: zipFiles({
      'top/manifest.JSON': legacy({ 'Model-Name': 'noop_v0.1', Service: 'noop.py' }),
      'top/noop.py': '',
      'top/model.onnx': affine,
    }),
    info: { name: 'noop_v0.1', version: 'snapshot' },
    notes: [/"noop.py" is not run/],
  },
  {
    name: 'a .zip without a manifest, named after itself',
    file: 'resnet-18.v1.zip',
    bytes: zipFiles({ 'model.onnx': affine }),
    info: { name: 'resnet_18_v1', version: '1' },
  },
  {
    name: 'a .tar.gz with everything under one folder',
    file: 'model.tar.gz',
    bytes: tarGzOf([
      { name: './' },
      { name: './squeezenet/', type: '5' },
      { name: './squeezenet/MAR-INF/MANIFEST.json', data: manifest({ modelName: 'squeezenet' }) },
      { name: './squeezenet/model.onnx', data: affine },
    ]),
    info: { name: 'squeezenet' },
  },
  {
    name: 'a zip of macOS',
    file: 'mac.zip',
    bytes: zipFiles({ 'mine/model.onnx': affine, '__MACOSX/mine/._model.onnx': 'x' }),
    info: { name: 'mac' },
  },
  {
    name: 'a model.json, which counts where the manifest says something else',
    file: 'a.mar',
    bytes: zipFiles({
      'MAR-INF/MANIFEST.json': manifest({ modelName: 'other', modelVersion: '7' }),
      'model.json': JSON.stringify({ name: 'own', batching: { maxBatch: 3 } }),
      'signature.json': '{}',
      'model.onnx': affine,
    }),
    info: { name: 'own', version: '7', batching: { maxBatch: 3 } },
  },
];

for (const { name, file, bytes, info, notes = [] } of cases) {
  t.test(name, async t => {
    const path = fileOf(file, bytes);
    const { served, model, close } = await register(packages, path);
    t.match(model.info, info);
    t.match(served.notes, notes);
    t.equal(served.notes.length, notes.length);
    t.equal(served.url, path, 'as it was asked for');
    const { y } = await model.predict({ x: new Float32Array(4) });
    t.equal(y?.data.length, 3);
    t.equal(unpacked().length, 1);
    await close();
    t.same(unpacked(), [], 'nothing stays');
  });
}

const long = `${'n'.repeat(150)}.txt`;
const zipWriter = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as archive:
    for name in ["model.onnx", sys.argv[3]]:
        with open(f"{sys.argv[2]}/{name}", "rb") as file:
            with archive.open(name, "w", force_zip64=True) as entry:
                entry.write(file.read())`;
/** Other programs that make archives, with what they need extensions of the formats for: a long name, 64-bit sizes. */
const makers: readonly { program: string; file: string; args: readonly string[] }[] = [
  { program: 'tar', file: 'gnu.tgz', args: ['--format=gnu', '-czf'] },
  { program: 'tar', file: 'pax.tar.gz', args: ['--format=pax', '-czf'] },
  { program: 'python3', file: 'zip64.zip', args: ['-c', zipWriter] },
];

for (const { program, file, args } of makers) {
  const skip = spawnSync(program, ['--version']).error === undefined ? false : `no ${program}`;
  t.test(`${file} as ${program} makes it is unpacked whole`, { skip }, async t => {
    const from = directoryOf({ 'model.onnx': affine, [long]: 'long' });
    const path = join(mkdtempSync(join(folder, 'made-')), file);
    const last = program === 'tar' ? ['-C', from, '.'] : [from, long];
    t.equal(spawnSync(program, [...args, path, ...last]).status, 0);
    const { path: directory, release } = await packages.open(path, true);
    t.same(readdirSync(directory).sort(), ['model.onnx', long]);
    t.ok(readFileSync(join(directory, 'model.onnx')).equals(affine));
    await release();
  });
}

t.test('a directory with a manifest is used where it is', async t => {
  const directory = directoryOf({
    'MAR-INF/MANIFEST.json': manifest({ modelName: 'here', modelVersion: '3' }),
    'model.onnx': affine,
  });
  const { model, close } = await register(packages, directory);
  t.match(model.info, { name: 'here', version: '3', path: join(directory, 'model.onnx') });
  t.same(unpacked(), []);
  await close();
  t.equal(readdirSync(directory).length, 2);
});

const signature = (input: object) =>
  JSON.stringify({
    inputs: [{ data_name: 'data', data_shape: [0, 1, 64, 64], ...input }],
    input_type: 'image/jpeg',
    outputs: [{ data_name: 'softmax', data_shape: [0, 10] }],
    output_type: 'application/json',
  });
const digitsFiles = {
  'MANIFEST.json': legacy({ 'Model-Name': 'digits', Service: 'vision.py' }),
  'model.onnx': readFileSync(join(digits, 'model.onnx')),
  'synset.txt': 'n0 zero\nn1\nn2\nn3\nn4\nn5\nn6\nn7 seven\nn8\nn9\n',
};

t.test('an image signature of MMS 0.x and its synset.txt describe inputs and classes', async t => {
  const bytes = zipFiles({ ...digitsFiles, 'signature.json': signature({}) });
  const { model, close } = await register(packages, fileOf('digits.model', bytes));
  t.match(model.info.preprocess?.['image'], {
    image: { size: [64, 64], scale: 1, mean: [0], std: [1], resize: 'stretch', filter: 'area' },
  });
  const { labels, ...rest } = model.info.postprocess?.['probabilities'] ?? {};
  t.equal(labels?.[7], 'n7 seven');
  t.same(rest, { topK: 5, softmax: false });
  await close();
  t.same(unpacked(), []);
});

t.test("TorchServe's image classifier becomes its preprocessing, softmax and labels", async t => {
  const path = directoryOf({
    'MAR-INF/MANIFEST.json': manifest({ modelName: 'r', handler: 'image_classifier' }),
    'index_to_name.json': '{"0": ["n0", "cat"], "1": ["n1", "dog"]}',
    'model.onnx': affine,
  });
  const { classifier, notes } = await packages.open(path, true);
  t.same(notes, [], 'it is no file');
  const tensor = (name: string) => ({ name, type: 'float32', shape: [-1] }) as const;
  const info = { signature: { inputs: [tensor('in')], outputs: [tensor('out')] } };
  t.ok(classifier);
  if (classifier === undefined) return;
  t.same(classifierOptions(classifier, info), {
    preprocess: {
      in: {
        image: {
          size: [224, 224],
          resize: 'shorter',
          shorter: 256,
          filter: 'bilinear',
          mean: [0.485, 0.456, 0.406],
          std: [0.229, 0.224, 0.225],
        },
      },
    },
    postprocess: { out: { labels: 'index_to_name.json', softmax: true } },
  });
});

const shapes = ['x', [1, 2], [0, 2, 64, 64], [0, 1, 0, 64], [0, 1, 1.5, 64], null];
const bad: readonly { name: string; files: Files; says: RegExp }[] = [
  {
    name: 'Python alone',
    files: { 'MAR-INF/MANIFEST.json': manifest({ handler: 's:h' }), 's.py': '' },
    says: /expected a model file \(.onnx\), got only "s.py", a Python handler, which is never run/,
  },
  {
    name: 'a handler of TorchServe alone',
    files: { 'MAR-INF/MANIFEST.json': manifest({ handler: 'image_classifier' }) },
    says: /got only the Python handler "image_classifier"/,
  },
  {
    name: 'MXNet',
    files: { 'a-symbol.json': '{}', 'a-0000.params': '', 'b.py': '' },
    says: /got only "a-0000.params", an MXNet model: export it to ONNX/,
  },
  {
    name: 'no JSON',
    files: { 'MAR-INF/MANIFEST.json': 'secret', 'm.onnx': affine },
    says: /MAR-INF\/MANIFEST.json: expected a JSON object$/,
  },
  {
    name: 'no manifest in MAR-INF',
    files: { 'MAR-INF/other': '', 'm.onnx': affine },
    says: /MAR-INF\/MANIFEST.json: cannot be read/,
  },
  {
    name: 'a manifest without model',
    files: { 'MAR-INF/MANIFEST.json': '{}', 'm.onnx': affine },
    says: /expected the key "model", got none/,
  },
  {
    name: 'a legacy manifest without model',
    files: { 'MANIFEST.json': '{}', 'm.onnx': affine },
    says: /MANIFEST.json: expected the key "Model", got none/,
  },
  {
    name: 'a name that is a number',
    files: { 'MAR-INF/MANIFEST.json': manifest({ modelName: 7 }), 'm.onnx': affine },
    says: /model: modelName: expected a text/,
  },
  {
    name: 'a name that is a path',
    files: { 'MAR-INF/MANIFEST.json': manifest({ modelName: '../x' }), 'm.onnx': affine },
    says: /name of the model: expected at most 128 characters without slashes/,
  },
  {
    name: 'a model file outside',
    files: { 'MAR-INF/MANIFEST.json': manifest({ serializedFile: '../../m.onnx' }) },
    says: /expected a relative path inside the directory of the model, got "..\/..\/m.onnx"/,
  },
  ...shapes.map(shape => ({
    name: `a signature of shape ${JSON.stringify(shape)}`,
    files: { ...digitsFiles, 'signature.json': signature({ data_shape: shape }) },
    says: /signature.json: inputs: data_shape: expected \[N, C, H, W\]/,
  })),
  {
    name: 'labels that are too few',
    files: { ...digitsFiles, 'signature.json': signature({}), 'synset.txt': 'one' },
    says: /"postprocess.probabilities.labels": expected 10 lines/,
  },
];

for (const { name, files, says } of bad) {
  t.test(`an archive with ${name} is refused and removed`, async t => {
    const { code, message } = await failure(register(packages, fileOf('bad.mar', zipFiles(files))));
    t.equal(code, 'INFER_MODEL_INVALID');
    t.match(message, says);
    t.same(unpacked(), []);
  });
}
