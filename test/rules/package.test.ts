// SPDX-License-Identifier: Apache-2.0
// Packs the package, installs it into an empty folder with nothing but Node on PATH, and uses it there.
// Needs the registry, or npm's cache, for the packages it depends on.
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { root, textOf } from '../helpers.js';
import { call, formOf } from '../server/helpers.js';
import { firstBlock } from './markdown.js';

t.setTimeout(600_000); // a cold cache and a slow line

/** Everything that may be in the package; each pattern matches something. */
const allowed = [
  /^(package\.json|README\.md|CHANGELOG\.md|CONTRIBUTING\.md|LICENSE|docs\/\w+\.md)$/,
  /^dist\/lib\/[a-z_]+\.js$/,
  /^dist\/lib\/[a-z_]+\.d\.ts$/,
  /^dist\/server\/(\w+\/)*\w+\.js$/,
  /^models\/(digits|iris)\/(README\.md|labels\.txt|model\.json|model\.onnx)$/,
  /^models\/digits\/samples\/7\.png$/,
  /^prebuilds\/(linux|darwin)-(x64|arm64)\/inference-native(\.glibc)?\.node$/,
  /^prebuilds\/(linux|darwin)-(x64|arm64)\/libonnxruntime\.(so\.1|1\.dylib)$/,
  /^prebuilds\/(linux|darwin)-(x64|arm64)\/NOTICES\.txt$/,
];
const mostPackedBytes = 30 * 2 ** 20;

interface Packed {
  readonly filename: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

const folder = mkdtempSync(join(tmpdir(), 'package-test-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const bin = join(folder, 'bin');
const app = join(folder, 'app');
const installed = join(app, 'node_modules', 'inference-native');

/** A program of npm: where this npm runs from, else beside Node. */
function npmProgram(name: 'npm' | 'npx'): string {
  const running = process.env['npm_execpath'] ?? '';
  const beside = join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin');
  const home = /npm-cli\.js$/.test(running) ? dirname(running) : beside;
  return join(home, `${name}-cli.js`);
}

/** An environment with Node and a shell on PATH only, and without what a test runner adds. */
function bareEnvironment(): NodeJS.ProcessEnv {
  const added =
    /^(TAP|NODE_OPTIONS|NODE_V8_COVERAGE|ORT_|INFERENCE_NATIVE_|npm_(package|lifecycle|config_local))/;
  const own = Object.entries(process.env).filter(([name]) => !added.test(name));
  return { ...Object.fromEntries(own), PATH: bin, PREBUILDS_ONLY: '1' };
}

/** Runs Node in the folder of the installed package. */
function node(args: readonly string[], env: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> {
  const options = { cwd: app, encoding: 'utf8', env: { ...bareEnvironment(), ...env } } as const;
  return spawnSync(process.execPath, args, options);
}

/** The README's example, with the model where an installed package has it. */
const example = firstBlock(textOf('README.md'), 'js');
const exampleInstalled = example.replace(/'models\//g, "'node_modules/inference-native/models/");

const noEngine = `
  import { listDevices, loadModel } from 'inference-native';
  const { code, message, detail } = await loadModel('node_modules/inference-native/models/iris').catch(error => error);
  let engine;
  try {
    [engine] = listDevices().engines;
  } catch (error) {
    engine = { available: false, problem: error };
  }
  console.log(JSON.stringify({ engine, code, message, detail }));
`;

const typedUse = `
import { InferenceError, loadModel, type Model, type Tensor } from 'inference-native';
const model: Model = await loadModel('m.onnx', { batching: { maxBatch: 8 } });
const { y } = await model.predict({ x: new Float32Array(4) }, { timeoutMs: 100 });
const tensor: Tensor | undefined = y;
const code: string = new InferenceError('INFER_BAD_INPUT', 'text').code;
export { code, tensor };
`;

t.before(() => {
  for (const made of [bin, app]) mkdirSync(made);
  symlinkSync(process.execPath, join(bin, 'node'));
  symlinkSync('/bin/sh', join(bin, 'sh'));
  writeFileSync(join(app, 'package.json'), '{ "private": true, "type": "module" }\n');
  writeFileSync(join(app, 'example.js'), exampleInstalled);
  writeFileSync(join(app, 'no-engine.js'), noEngine);
});

/** Brings prebuilds/ up to date and packs, without the scripts that would compile below running tests. */
function pack(): Packed {
  const built = spawnSync(process.execPath, ['tools/prebuild.mjs'], {
    cwd: root,
    encoding: 'utf8',
  });
  if (built.status !== 0) throw new Error(built.stderr);
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const packed = spawnSync(process.execPath, [npmProgram('npm'), ...args], {
    cwd: root,
    encoding: 'utf8',
  });
  if (packed.status !== 0) throw new Error(packed.stderr);
  const [first] = JSON.parse(packed.stdout) as readonly Packed[];
  if (first === undefined) throw new Error(`npm pack reported nothing: ${packed.stdout}`);
  return first;
}

interface Lockfile {
  readonly packages: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

// A registry that lacks binaries for other systems makes npm leave them out, and then npm ci refuses.
t.test('the lockfile has every package that another one in it asks for', async t => {
  const { packages } = JSON.parse(textOf('package-lock.json')) as Lockfile;
  const names = new Set(Object.keys(packages).map(path => path.replace(/^.*node_modules\//, '')));
  t.ok(names.size > 100, 'packages were examined');
  const missing = Object.entries(packages).flatMap(([path, entry]) =>
    Object.keys({ ...(entry['dependencies'] ?? {}), ...(entry['optionalDependencies'] ?? {}) })
      .filter(name => !names.has(name))
      .map(name => `${name}, for ${path}`),
  );
  t.same(missing, []);
});

let packed: Packed;

t.test('the package holds what a user needs and nothing else', async t => {
  packed = pack();
  const paths = packed.files.map(({ path }) => path);
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  t.comment(
    `${paths.length} files, packed ${mib(packed.size)}, unpacked ${mib(packed.unpackedSize)}`,
  );
  t.same(
    paths.filter(path => !allowed.some(pattern => pattern.test(path))),
    [],
    'nothing that is not on the list',
  );
  for (const pattern of allowed) {
    t.ok(
      paths.some(path => pattern.test(path)),
      `something matches ${pattern.source}`,
    );
  }
  const sourceless = paths
    .filter(path => /^dist\/.*\.js$/.test(path))
    .map(path => path.replace(/^dist\//, '').replace(/\.js$/, '.ts'))
    .filter(source => !existsSync(join(root, source)));
  t.same(sourceless, [], 'dist/ holds nothing whose source is gone; if it does, delete dist/');
  t.ok(packed.size < mostPackedBytes, `packed below ${mib(mostPackedBytes)}`);
});

t.test('it installs without scripts, compiler or configuration', async t => {
  const args = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
  const tarball = join(folder, packed.filename);
  const child = node([npmProgram('npm'), 'install', ...args, tarball]);
  t.equal(child.status, 0, child.stderr);
  t.ok(existsSync(join(installed, 'package.json')));
  t.notOk(existsSync(join(app, 'node_modules', 'onnxruntime-node')), 'no other ONNX Runtime');
});

t.test("the README's example prints the same as in the checkout", async t => {
  const checkout = spawnSync(process.execPath, ['--input-type=module', '-e', example], {
    cwd: root,
    encoding: 'utf8',
  });
  t.match(checkout.stdout, /setosa/, checkout.stderr);
  const child = node(['example.js']);
  t.equal(child.stderr, '');
  t.equal(child.stdout, checkout.stdout);
});

t.test('npx inference-native devices runs the installed command', async t => {
  const child = node([npmProgram('npx'), '--no', 'inference-native', 'devices']);
  t.equal(child.status, 0, child.stderr);
  t.match(child.stdout, /onnxruntime/);
  t.match(child.stdout, /prebuilds/, 'the library beside the addon is the one in use');
});

t.test('inference-native serve answers from the installed package', async t => {
  const ports = ['--port', '0', '--management-port', '0', '--metrics-port', '0'];
  const main = join(installed, 'dist', 'server', 'main.js');
  const server = spawn(process.execPath, [main, 'serve', ...ports], {
    cwd: app,
    env: bareEnvironment(),
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const end = once(server, 'exit');
  const [line] = await Promise.race([once(server.stdout, 'data'), end]);
  const { inference } = JSON.parse(String(line)) as { readonly inference: string };
  const image = readFileSync(join(installed, 'models', 'digits', 'samples', '7.png'));
  const { text } = await call(`${inference}/predictions/digits`, { body: formOf('data', image) });
  t.match(text, /^\[\{"class":"7","probability":0\.99/);
  server.kill('SIGTERM');
  t.same(await end, [0, null]);
});

t.test('its types serve a strict TypeScript program', async t => {
  writeFileSync(join(app, 'types.ts'), typedUse);
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const flags = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2022'];
  const child = node([tsc, ...flags, 'types.ts']);
  t.equal(child.stdout, '');
  t.equal(child.status, 0);
});

interface Report {
  readonly engine: { readonly available: boolean; readonly problem?: { readonly message: string } };
  readonly code: string;
  readonly message: string;
  readonly detail: string;
}

/** What the program sees when ONNX Runtime cannot be found. */
function withoutEngine(env: NodeJS.ProcessEnv): Report {
  const child = node(['no-engine.js'], env);
  if (child.status !== 0) throw new Error(child.stderr);
  return JSON.parse(child.stdout) as Report;
}

t.test('an ONNX Runtime that is named but absent is said so', async t => {
  const report = withoutEngine({ ORT_DYLIB_PATH: '/nonexistent/libonnxruntime.so.1' });
  t.equal(report.engine.available, false, 'listDevices() says so');
  t.match(report.engine.problem?.message, /ORT_DYLIB_PATH.*\/nonexistent/, 'and why');
  t.equal(report.code, 'INFER_ENGINE_UNAVAILABLE');
  t.equal(report.detail, 'not-found');
  t.match(report.message, /ORT_DYLIB_PATH.*\/nonexistent/);
  t.match(report.message, /Name another file, or none/, 'the remedy');
});

t.test('on musl, where the addon cannot work, it is not even tried', async t => {
  const report = withoutEngine({ LIBC: 'musl' });
  t.equal(report.engine.available, false);
  t.equal(report.code, 'INFER_ENGINE_UNAVAILABLE');
  t.equal(report.detail, 'addon-not-found');
});

t.test('a package whose library was deleted imports, explains and names the remedy', async t => {
  const library = packed.files.map(({ path }) => path).find(path => /libonnxruntime/.test(path));
  rmSync(join(installed, library ?? ''));
  const report = withoutEngine({});
  if (report.engine.available) return t.pass('this system has an ONNX Runtime of its own');
  t.equal(report.code, 'INFER_ENGINE_UNAVAILABLE');
  t.equal(report.detail, 'not-found');
  t.match(report.message, /beside the addon.*no such file/, 'what was tried');
  t.match(report.message, /onnxruntime-node.*ORT_DYLIB_PATH/s, 'the remedy');
  t.equal(report.engine.problem?.message, report.message, 'listDevices() says the same');
});
