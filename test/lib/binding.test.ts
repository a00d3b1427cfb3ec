// SPDX-License-Identifier: Apache-2.0
// What is said when the addon or the engine's library is missing or wrong. Each case is a process of its own.
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { engineLibraries } from '../../lib/binding.js';
import type { DeviceReport } from '../../lib/index.js';
import { fixture, root } from '../helpers.js';

interface Told {
  readonly code?: string;
  readonly detail?: string;
  readonly message?: string;
}
interface Outcome {
  readonly imported: boolean;
  readonly devices: DeviceReport & Told;
  readonly load: Told & { readonly loaded?: boolean };
}

/** Imports the package in a new process, lists devices and loads a model there. */
function inProcess(environment: Readonly<Record<string, string>>, options = {}): Outcome {
  const script = `
    const lib = await import(${JSON.stringify(join(root, 'dist/lib/index.js'))});
    const told = ({ code, detail, message }) => ({ code, detail, message });
    let devices;
    try { devices = lib.listDevices(); } catch (error) { devices = told(error); }
    const load = await lib.loadModel(${JSON.stringify(fixture('affine.onnx'))}, ${JSON.stringify(options)}).then(
      async model => { await model.close(); return { loaded: true }; }, told);
    console.log(JSON.stringify({ imported: true, devices, load }));`;
  const { stdout, stderr, signal } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', script],
    {
      env: { ...process.env, NODE_OPTIONS: '', ...environment },
      encoding: 'utf8',
      cwd: dirname(root),
      timeout: 20_000,
    },
  );
  if (signal !== null) throw new Error(`the process did not end: ${stdout}${stderr}`);
  t.equal(stderr, '', 'nothing is printed');
  return JSON.parse(stdout) as Outcome;
}

const tuple = `${process.platform}-${process.arch}`;

t.test('no addon: import works, everything else explains', async t => {
  const { imported, devices, load } = inProcess({ INFERENCE_NATIVE_PREBUILD: t.testdir({}) });
  t.ok(imported);
  for (const told of [devices, load]) {
    t.match(told, { code: 'INFER_ENGINE_UNAVAILABLE', detail: 'addon-not-found' });
    t.match(told.message, new RegExp(`no addon for ${tuple}.*, Node ${process.versions.node}: `));
    t.match(told.message, /build\/Release and prebuilds.*npm ci/);
    if (process.platform === 'linux') t.match(told.message, /\((glibc [\d.]+|musl)\)/);
  }
});

t.test('an addon that is not one: the message has the reason and the remedy', async t => {
  const folder = t.testdir({
    prebuilds: { [tuple]: { 'addon.node': 'not a library, but long enough' } },
  });
  const { devices, load } = inProcess({ INFERENCE_NATIVE_PREBUILD: folder });
  for (const told of [devices, load]) {
    t.match(told, { code: 'INFER_ENGINE_UNAVAILABLE', detail: 'addon-not-loadable' });
    t.match(told.message, /addon\.node cannot be loaded on .*: .*npm ci|another platform/);
  }
});

interface EngineCase {
  readonly name: string;
  readonly library: string;
  readonly detail: string;
}

/** Files that are no usable ONNX Runtime, made in a folder. */
function wrongLibraries(folder: string): readonly EngineCase[] {
  const text = join(folder, 'text.so');
  writeFileSync(text, 'this is no library, whatever its name says\n'.repeat(10));
  const machine = join(folder, 'machine.so');
  const header = Buffer.alloc(64);
  header.write('\x7fELF\x02\x01\x01', 'latin1'); // 64-bit, little-endian
  header.writeUInt16LE(3, 16); // a shared object
  header.writeUInt16LE(0xf3, 18); // for RISC-V
  header.writeUInt32LE(1, 20);
  writeFileSync(machine, header);
  return [
    { name: 'a path to nothing', library: join(folder, 'none.so'), detail: 'not-found' },
    { name: 'a text file', library: text, detail: 'not-a-library' },
    { name: 'a library for another machine', library: machine, detail: 'wrong-architecture' },
    {
      name: 'the addon itself',
      library: join(root, 'build/Release/inference_native.node'),
      detail: 'no-entry-point',
    },
  ];
}

const onLinux = { skip: process.platform !== 'linux' && 'the files of this test are for Linux' };
t.test(
  'a named library that is wrong ends the search, and the detail says why',
  onLinux,
  async t => {
    for (const { name, library, detail } of wrongLibraries(t.testdir({}))) {
      const { devices, load } = inProcess({ INFERENCE_NATIVE_ORT_PATH: library });
      t.match(load, { code: 'INFER_ENGINE_UNAVAILABLE', detail }, `${name}: ${load.message}`);
      t.ok(load.message?.includes('INFERENCE_NATIVE_ORT_PATH'), `${name}: names its source`);
      const [engine] = devices.engines;
      t.match(
        engine,
        { name: 'onnxruntime', available: false, problem: { detail } },
        `${name}: listed`,
      );
      t.ok((engine?.tried.length ?? 0) > 0, `${name}: says what was tried`);
      t.ok(devices.cores.length > 0, `${name}: cores are reported all the same`);
    }
  },
);

t.test('the option counts before the environment', async t => {
  const beside = join(root, 'build/Release/libonnxruntime.so.1');
  const { load } = inProcess({}, { enginePath: '/none/by-option.so' });
  t.ok(load.message?.includes('/none/by-option.so'), `${load.message}`);
  const variables = { INFERENCE_NATIVE_ORT_PATH: beside, ORT_DYLIB_PATH: '/none/second.so' };
  t.same(
    inProcess(variables).load,
    { loaded: true },
    'the first variable counts before the second',
  );
});

t.test('the library serves under any name and place, at a relative path, too', onLinux, async t => {
  const folder = t.testdir({});
  mkdirSync(join(folder, 'lib'));
  symlinkSync(join(root, 'build/Release/libonnxruntime.so.1'), join(folder, 'lib', 'ort.so'));
  const path = join(folder.slice(dirname(root).length + 1), 'lib', 'ort.so');
  const { devices, load } = inProcess({ ORT_DYLIB_PATH: path });
  t.same(load, { loaded: true });
  t.match(devices.engines[0], {
    available: true,
    source: 'ORT_DYLIB_PATH',
    path: join(folder, 'lib', 'ort.so'),
  });
});

t.test('the search order is the documented one', async t => {
  const before = { ...process.env };
  t.teardown(() => {
    process.env = before;
  });
  process.env['INFERENCE_NATIVE_ORT_PATH'] = 'a/first.so';
  process.env['ORT_DYLIB_PATH'] = 'second.so';
  const list = engineLibraries('/option.so');
  t.match(list.slice(0, 4), [
    { source: 'option enginePath', path: '/option.so', required: true },
    {
      source: 'INFERENCE_NATIVE_ORT_PATH',
      path: join(process.cwd(), 'a/first.so'),
      required: true,
    },
    { source: 'ORT_DYLIB_PATH', path: 'second.so', required: true },
    { source: 'already in this process', required: false, mappedOnly: true },
  ]);
  const sources = [...new Set(list.map(({ source }) => source))];
  t.same(sources.slice(4), [
    "the application's onnxruntime-node",
    'beside the addon',
    "the loader's default path",
  ]);
  process.env['INFERENCE_NATIVE_ORT_PATH'] = '';
  delete process.env['ORT_DYLIB_PATH'];
  t.equal(
    engineLibraries()[0]?.source,
    'already in this process',
    'an empty variable counts as none',
  );
});
