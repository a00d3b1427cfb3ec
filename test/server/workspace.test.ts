// SPDX-License-Identifier: Apache-2.0
// Where archives are unpacked: once for each content, alone, and gone when nobody needs it any more.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { availableParallelism, hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { loadModel } from '../../lib/index.js';
import { createPackages } from '../../server/packages/index.js';
import { storageError } from '../../server/packages/storage.js';
import { createWorkspace } from '../../server/packages/workspace.js';
import { errors } from '../../server/protocol/mms/errors.js';
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
    mkdirSync(join(parent, name, '0-partial'), { recursive: true, mode: 0o700 });
  const { close } = await createPackages({ ...settings, workDir: parent });
  t.same(readdirSync(parent).sort(), [...kept].sort());
  await close();
});

const dead = () => `${hostname()}-${spawnSync(process.execPath, ['--version']).pid}`;

t.test('what cannot be removed is told and does not end the start', async t => {
  const parent = join(tmpdir(), `leftovers-${process.pid}`);
  mkdirSync(join(parent, dead()), { recursive: true });
  chmodSync(parent, 0o555);
  t.teardown(() => {
    chmodSync(parent, 0o755);
    rmSync(parent, { recursive: true });
  });
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534); // root may remove everything
  const { notes } = await createPackages({ ...settings, workDir: parent }).finally(() => {
    if (isRoot) process.seteuid?.(0);
  });
  t.equal(notes.length, 1);
  t.match(notes[0], /^workDir: cannot remove what another process has left: EACCES/);
});

for (const mode of [0o777, 0o775, 0o1777]) {
  const octal = mode.toString(8);
  t.test(`in a work directory of mode ${octal} nothing is removed and nothing made`, async t => {
    const open = join(folder, `open-${octal}`);
    const left = dead();
    const ours = `${hostname()}-${process.pid}`;
    mkdirSync(join(open, left), { recursive: true });
    mkdirSync(join(open, ours));
    chmodSync(open, mode);
    const { open: openPackage, close } = await createPackages({ ...settings, workDir: open });
    const path = fileOf('a.mar', zipFiles({ 'model.onnx': affine }));
    const { code, detail, message } = await failure(openPackage(path, true));
    t.equal(code, 'INFER_INTERNAL');
    t.equal(detail, 'storage-unusable');
    t.match(message, /^workDir: expected a directory of this user that no other user may write to/);
    await close();
    t.same(readdirSync(open).sort(), [left, ours].sort());
  });
}

t.test('a link in place of the work directory or of the own folder is not followed', async t => {
  const elsewhere = join(folder, 'elsewhere');
  mkdirSync(join(elsewhere, dead()), { recursive: true, mode: 0o700 });
  const linked = join(folder, 'linked');
  symlinkSync(elsewhere, linked);
  const own = join(folder, 'with-linked-own');
  mkdirSync(own, { mode: 0o700 });
  const path = fileOf('a.mar', zipFiles({ 'model.onnx': affine }));
  for (const workDir of [linked, own]) {
    const { open, close } = await createPackages({ ...settings, workDir });
    if (workDir === own) symlinkSync(elsewhere, join(own, `${hostname()}-${process.pid}`));
    t.match(await failure(open(path, true)), { detail: 'storage-unusable' });
    await close();
    t.equal(readdirSync(elsewhere).length, 1);
  }
});

t.test('no more archives are unpacked at once than there are cores', async t => {
  const most = availableParallelism();
  const bytes = Array.from({ length: most + 4 }, () =>
    zipFiles({ 'model.onnx': affine, noise: randomBytes(2 ** 21) }),
  );
  const all = Promise.all(bytes.map(one => packages.open(fileOf('a.mar', one), true)));
  let seen = 0;
  for (let ended = false; !ended; ) {
    seen = Math.max(seen, unpacked().filter(name => name.endsWith('-partial')).length);
    ended = await Promise.race([
      all.then(() => true),
      new Promise<false>(resolve => setImmediate(resolve, false)),
    ]);
  }
  t.ok(seen >= 1 && seen <= most, `${seen} of ${most}`);
  await Promise.all((await all).map(({ release }) => release()));
});

t.test('a named pipe in place of an archive is refused at once', async t => {
  const pipe = join(folder, 'pipe.mar');
  t.equal(spawnSync('mkfifo', [pipe]).status, 0);
  const limits = { maxBytes: 2 ** 20, maxEntries: 10, maxRatio: 10 };
  const { unpack } = await createWorkspace(join(folder, 'piped'), limits);
  const { code, message } = await failure(unpack(pipe, 'pipe.mar'));
  t.equal(code, 'INFER_MODEL_INVALID');
  t.equal(message, 'archive "pipe.mar": expected a regular file');
  const opened = await failure(packages.open(pipe, true));
  t.equal(opened.message, 'model "pipe.mar": expected a file or a directory, got neither');
});

t.test('a full disk is a 507, no fault of the client', async t => {
  const full = await writeFile('/dev/full', 'x').catch(error => error);
  const error = storageError('cannot write', full);
  t.match(error, { code: 'INFER_INTERNAL', detail: 'storage-full' });
  t.match(error.message, /^workDir: cannot write: ENOSPC/);
  t.equal(errors.fromError(error).status, 507);
});

t.test('a work directory that cannot be made is a 500', async t => {
  const { open } = await createPackages({ ...settings, workDir: fileOf('file', affine) });
  const error = await failure(open(fileOf('a.mar', zipFiles({ 'model.onnx': affine })), true));
  t.match(error, { code: 'INFER_INTERNAL', detail: 'storage-unusable' });
  t.match(error.message, /^workDir: cannot make .*: EEXIST/);
  t.equal(errors.fromError(error).status, 500);
});

t.test('a link that the API names is followed once, and gives the model its name', async t => {
  const modelStore = join(folder, 'linked-store');
  mkdirSync(join(modelStore, 'blobs', 'directory'), { recursive: true });
  const archive = zipFiles({ 'model.onnx': affine });
  const cases = [
    { name: 'archive', link: 'archive.mar', to: 'blobs/1', bytes: archive },
    { name: 'file', link: 'file.onnx', to: 'blobs/2', bytes: affine },
    { name: 'directory', link: 'directory', to: 'blobs/3', bytes: affine },
  ] as const;
  const { open, close } = await createPackages({
    ...settings,
    modelStore,
    workDir: join(folder, 'w'),
  });
  for (const { name, link, to, bytes } of cases) {
    const target = join(modelStore, to);
    if (name === 'directory') mkdirSync(target);
    writeFileSync(name === 'directory' ? join(target, 'model.onnx') : target, bytes);
    symlinkSync(to, join(modelStore, link));
    const source = await open(link, false);
    t.notMatch(source.path, link);
    const model = await loadModel(source.path, source.options);
    t.equal(model.info.name, name);
    await model.close();
    await source.release();
  }
  await close();
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
