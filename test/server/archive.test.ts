// SPDX-License-Identifier: Apache-2.0
// `inference-native archive`: the same bytes for the same files, readable by other programs, loaded again as it was.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { createPackages } from '../../server/packages/index.js';
import { fixture } from '../helpers.js';
import { digits, runCommand } from './helpers.js';
import { register } from './registered.js';

const folder = mkdtempSync(join(tmpdir(), 'archive-'));
t.teardown(() => rmSync(folder, { recursive: true }));

function directoryOf(files: Readonly<Record<string, string | Buffer>>): string {
  const directory = mkdtempSync(join(folder, 'model-'));
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(directory, name), bytes);
  return directory;
}

const affine = readFileSync(fixture('affine.onnx'));

function archive(path: string, ...more: string[]) {
  const where = ['--model-path', path, '--export-path', folder];
  return runCommand(['archive', '--model-name', 'made', ...where, ...more]);
}

t.test('an archive of a directory is served as the directory is', async t => {
  const { code, output } = await archive(digits, '--model-version', '4.2');
  t.equal(code, 0);
  t.equal(output, `${join(folder, 'made.mar')}\n`);
  const workDir = join(folder, 'work');
  const settings = { modelStore: '', workDir, maxPackageBytes: 2 ** 26, allowedUrls: [] };
  const packages = await createPackages(settings);
  const { model, close } = await register(packages, output.trim());
  t.match(model.info, { name: 'digits', version: '1' }, 'as model.json says');
  t.equal(model.info.postprocess?.['probabilities']?.labels?.length, 10);
  for (const name of ['model.onnx', 'model.json', 'labels.txt']) {
    const packed = readFileSync(join(model.info.path, '..', name));
    t.ok(packed.equals(readFileSync(join(digits, name))), name);
  }
  await close();
  await packages.close();
});

t.test('times, order and what is no part of the model do not change the bytes', async t => {
  const first = directoryOf({ 'a.onnx': affine, 'b.txt': 'b' });
  const second = directoryOf({ 'b.txt': 'b', '.env': 'secret', 'x.pyc': '', 'old.mar': '' });
  for (const name of ['.git', '__pycache__', '__MACOSX', 'MAR-INF']) {
    mkdirSync(join(second, name));
    writeFileSync(join(second, name, 'file'), 'x');
  }
  cpSync(join(first, 'a.onnx'), join(second, 'a.onnx'));
  utimesSync(join(second, 'a.onnx'), 1, 1);
  const made: Buffer[] = [];
  for (const path of [first, second]) {
    t.equal((await archive(path, '--force')).code, 0);
    made.push(readFileSync(join(folder, 'made.mar')));
  }
  t.ok(made[1]?.equals(made[0] ?? Buffer.alloc(0)));
  t.notOk(made[0]?.includes('secret'));
});

const python = spawnSync('python3', ['--version']).error === undefined;
const skip = python ? false : 'no python3';
t.test('another program reads it and finds its checksums right', { skip }, async t => {
  const model = directoryOf({ 'größe.onnx': affine });
  await archive(model, '--force', '--handler', 'service:handle', '--model-version', '2');
  const script = `
import json, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
print(json.dumps([archive.namelist(), json.loads(archive.read("MAR-INF/MANIFEST.json"))["model"]]))`;
  const { status, stdout } = spawnSync('python3', ['-c', script, join(folder, 'made.mar')], {
    encoding: 'utf8',
  });
  t.equal(status, 0);
  const [names, described] = JSON.parse(stdout);
  t.same(names, ['MAR-INF/MANIFEST.json', 'größe.onnx']);
  t.same(described, {
    modelName: 'made',
    modelVersion: '2',
    serializedFile: 'größe.onnx',
    handler: 'service:handle',
  });
});

const linked = directoryOf({ 'a.onnx': affine });
symlinkSync('/etc/passwd', join(linked, 'link'));
const one = directoryOf({ 'a.onnx': affine });
const refusals: readonly { name: string; args: readonly string[]; code: number; says: RegExp }[] = [
  {
    name: 'no name',
    args: ['--model-path', one],
    code: 2,
    says: /--model-name: expected .* null$/,
  },
  {
    name: 'no path',
    args: ['--model-name', 'a'],
    code: 2,
    says: /--model-path: expected .* null$/,
  },
  {
    name: 'a name with a slash',
    args: ['--model-name', '../a', '--model-path', one],
    code: 2,
    says: /--model-name: expected .*, got "\.\.\/a"$/,
  },
  {
    name: 'an unknown flag',
    args: ['--model-nam', 'a'],
    code: 2,
    says: /archive: Unknown option '--model-nam'; known are --model-name, /,
  },
  {
    name: 'a missing directory',
    args: ['--model-name', 'a', '--model-path', join(folder, 'none')],
    code: 1,
    says: /--model-path ".*none": expected a directory \(ENOENT\)/,
  },
  {
    name: 'a directory without a model',
    args: ['--model-name', 'a', '--model-path', directoryOf({ 'a.py': '' })],
    code: 1,
    says: /expected one model file .*; got none/,
  },
  {
    name: 'two models',
    args: ['--model-name', 'a', '--model-path', directoryOf({ 'a.onnx': '', 'b.onnx': '' })],
    code: 1,
    says: /expected one model file .*; got "a.onnx", "b.onnx"/,
  },
  {
    name: 'a link',
    args: ['--model-name', 'a', '--model-path', linked],
    code: 2,
    says: /"link": expected a file or a directory, got a link/,
  },
  {
    name: 'an export path that is missing',
    args: ['--model-name', 'a', '--model-path', one, '--export-path', join(folder, 'none')],
    code: 2,
    says: /--export-path ".*none": cannot be written \(ENOENT\)/,
  },
];

for (const { name, args, code, says } of refusals) {
  t.test(`${name} is refused`, async t => {
    const ended = await runCommand(['archive', ...args]);
    t.match(ended.log[0]?.['text'], says);
    t.equal(ended.code, code);
  });
}

t.test('an archive that exists is replaced only when told to', async t => {
  writeFileSync(join(folder, 'made.mar'), 'mine');
  const { code, log } = await archive(one);
  t.equal(code, 2);
  t.match(log[0]?.['text'], /made.mar: exists; --force replaces it$/);
  t.equal(readFileSync(join(folder, 'made.mar'), 'utf8'), 'mine');
  t.equal((await archive(one, '-f')).code, 0);
  t.same(
    readdirSync(folder).filter(name => name.startsWith('.')),
    [],
  );
});
