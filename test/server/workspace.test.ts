// SPDX-License-Identifier: Apache-2.0
// Where archives are unpacked: once for each content, alone, and gone when nobody needs it any more.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { createPackages } from '../../server/packages/index.js';
import { failure, fixture } from '../helpers.js';
import { zipFiles } from './archives.js';
import { call, postJson, startServer } from './helpers.js';
import { fileOf, folder, packages, settings, unpacked } from './package_files.js';

const affine = readFileSync(fixture('affine.onnx'));
let made = 0;

t.test('one content is unpacked once, and goes when the last of its models does', async t => {
  const bytes = zipFiles({ 'model.onnx': affine });
  const paths = ['a.mar', 'b.mar', 'c.zip'].map(name => fileOf(name, bytes));
  const opened = await Promise.all(paths.map(path => packages.open(path, true)));
  t.equal(new Set(opened.map(({ path }) => path)).size, 1);
  t.same(
    opened.map(({ options }) => options.name),
    ['a', 'b', 'c'],
  );
  const [first, ...others] = opened;
  await first?.release();
  t.equal(unpacked().length, 1);
  await Promise.all(others.map(({ release }) => release()));
  t.same(unpacked(), []);
  const again = await packages.open(paths[0] ?? '', true);
  t.same(readdirSync(again.path), ['model.onnx']);
  await again.release();
});

t.test('an archive that changes while it is read is refused', async t => {
  const path = fileOf('a.mar', zipFiles({ 'model.onnx': randomBytes(2 ** 22) }));
  const opening = failure(packages.open(path, true));
  for (let ended = false; !ended; ) {
    utimesSync(path, new Date(), new Date(made++));
    ended = await Promise.race([
      opening.then(() => true),
      new Promise<false>(resolve => setImmediate(resolve, false)),
    ]);
  }
  t.match((await opening).message, /stays as it is, but it changed while it was read/);
  t.same(unpacked(), []);
});

t.test('what killed processes have left is removed, and nothing else', async t => {
  const { pid } = spawnSync(process.execPath, ['--version']);
  const parent = join(folder, 'leftovers');
  const dead = `${hostname()}-${pid}`;
  const kept = [`${hostname()}-${process.ppid}`, 'other-host-1', 'notes', `${hostname()}-x`];
  for (const name of [dead, ...kept])
    mkdirSync(join(parent, name, '0-partial'), { recursive: true });
  const { close } = await createPackages({ ...settings, workDir: parent });
  t.same(readdirSync(parent).sort(), [...kept].sort());
  await close();
});

t.test('a work directory that others may write to is not used', async t => {
  const open = join(folder, 'open');
  mkdirSync(open);
  chmodSync(open, 0o777);
  const { open: openPackage } = await createPackages({ ...settings, workDir: open });
  const path = fileOf('a.mar', zipFiles({ 'model.onnx': affine }));
  const { code, message } = await failure(openPackage(path, true));
  t.equal(code, 'INFER_BAD_INPUT');
  t.match(message, /^workDir: .*: other users may write there$/);
});

t.test(
  'the server serves an archive from all its HTTP threads and tells of its handler',
  async t => {
    const store = join(folder, 'store');
    mkdirSync(store);
    const handler = JSON.stringify({ model: { modelName: 'x', handler: 's.py' } });
    const files = { 'MAR-INF/MANIFEST.json': handler, 's.py': '', 'model.onnx': affine };
    writeFileSync(join(store, 'm.mar'), zipFiles(files));
    const work = join(folder, 'work-of-server');
    const args = ['--model-store', store, '--work-dir', work, '--http-threads', '2'];
    const server = await startServer({ models: ['mine=m.mar'], args });
    t.teardown(server.stop);
    for (let connection = 0; connection < 4; connection++) {
      const { status, text } = await postJson(`${server.inference}/predictions/mine`, [
        [1, 0, 0, 0],
      ]);
      t.equal(status, 200, text);
    }
    const { text } = await call(`${server.management}/models`);
    t.match(JSON.parse(text).models, [{ modelName: 'mine', modelUrl: 'm.mar' }]);
    const note = server.log.find(({ event }) => event === 'model_note');
    t.match(note, { level: 'warn', model: 'mine', message: /"s.py" is not run/ });
    t.equal(readdirSync(work).length, 1);
    t.equal(await server.stop(), 0);
    t.same(readdirSync(work), []);
  },
);
