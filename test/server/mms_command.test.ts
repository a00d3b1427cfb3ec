// SPDX-License-Identifier: Apache-2.0
// The program multi-model-server: in the background and here, stopped by its pid file, with models that fail.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { askToEnd, isServer } from '../../server/mms/pid_file.js';
import { fromPs, processInfo } from '../../server/mms/process.js';
import { fixture, root } from '../helpers.js';
import { zipFiles } from './archives.js';
import { call, postJson } from './helpers.js';

t.setTimeout(300_000);
const program = join(root, 'dist', 'server', 'mms_main.js');
const folder = mkdtempSync(join(tmpdir(), 'mms-command-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const store = join(folder, 'store');
mkdirSync(join(store, '.hidden'), { recursive: true });
const affine = readFileSync(fixture('affine.onnx'));
writeFileSync(join(store, 'resnet-18.mar'), zipFiles({ 'model.onnx': affine }));
writeFileSync(join(store, 'python.mar'), zipFiles({ 'service.py': '' }));
writeFileSync(join(store, 'notes.txt'), '');
const config = join(folder, 'config.properties');
const addresses = ['inference', 'management', 'metrics'].map(
  name => `${name}_address=http://127.0.0.1:0`,
);
writeFileSync(config, [...addresses, 'load_models=ALL', 'vmargs=-Xmx1g', 'mine=1'].join('\n'));

interface Run {
  readonly child: ChildProcess;
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Exit code of the process itself, whatever it has left running. */
  readonly code: Promise<number>;
  /** Resolves when all processes that write there have ended. */
  readonly closed: Promise<unknown>;
  /** Resolves with standard output as soon as it holds the text. */
  readonly says: (text: string) => Promise<string>;
}

/** A folder for temporary files, so that each test has a pid file of its own. */
function temporary(): string {
  return mkdtempSync(join(folder, 'temporary-'));
}

function run(TMPDIR: string, args: readonly string[], file = program): Run {
  const env = { ...process.env, TMPDIR };
  const child = spawn(process.execPath, [file, ...args], { env, cwd: folder });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', text => {
    stdout += text;
  });
  child.stderr.on('data', text => {
    stderr += text;
  });
  const says = (text: string) =>
    new Promise<string>((resolve, reject) => {
      const look = () => stdout.includes(text) && resolve(stdout);
      child.stdout.on('data', look);
      child.stdout.on('close', () => reject(new Error(`never said ${text}: ${stdout}${stderr}`)));
      look();
    });
  const code = once(child, 'exit').then(([value]) => value);
  const closed = once(child, 'close');
  return { child, stdout: () => stdout, stderr: () => stderr, code, closed, says };
}

async function ended(TMPDIR: string, ...args: string[]): Promise<{ code: number; text: string }> {
  const { code, closed, stdout, stderr } = run(TMPDIR, args);
  await closed;
  return { code: await code, text: stdout() + stderr() };
}

t.test('it starts behind, serves the store without what fails, and stops', async t => {
  const directory = temporary();
  const started = run(directory, ['--start', '--model-store', store]);
  t.equal(await started.code, 0, 'the program is back');
  const [line = ''] = (await started.says('Model server started.\n')).split('\n');
  const { inference, management } = JSON.parse(line);
  const { text } = await call(`${management}/models`);
  t.match(JSON.parse(text).models, [{ modelName: 'resnet_18', modelUrl: 'resnet-18.mar' }]);
  t.equal(JSON.parse(text).models.length, 1);
  const url = `${inference}/predictions/resnet_18`;
  t.equal((await postJson(url, [[1, 0, 0, 0]])).status, 200);
  const again = await ended(directory, '--start', '--model-store', store);
  t.equal(again.code, 1);
  t.match(again.text, 'Model server is already running, please use multi-model-server --stop');
  t.same(await ended(directory, '--stop'), { code: 0, text: 'Model server stopped.\n' });
  await started.closed;
  const none = 'Model server is not currently running.\n';
  t.same(await ended(directory, '--stop'), { code: 0, text: none });
  const log = started.stderr();
  t.match(log, /"event":"model_failed".*"python.mar".*a Python handler, which is never run/);
  t.match(log, /"level":"info",.*"event":"setting_ignored","key":"vmargs"/);
  t.match(log, /"level":"warn",.*"event":"setting_unknown","key":"mine"/);
});

t.test('here it serves no model unless it is told to, until it is stopped', async t => {
  const directory = temporary();
  writeFileSync(join(folder, 'empty.properties'), addresses.join('\n'));
  const served = run(directory, ['--foreground', '--mms-config', 'empty.properties']);
  const [line = ''] = (await served.says('Model server started.\n')).split('\n');
  const { management } = JSON.parse(line);
  t.same(JSON.parse((await call(`${management}/models`)).text), { models: [] });
  const pid = readFileSync(join(directory, '.model_server.pid'), 'utf8');
  t.equal(Number(pid), served.child.pid);
  served.child.kill('SIGTERM');
  t.equal(await served.code, 0);
  t.equal(existsSync(join(directory, '.model_server.pid')), false, 'the server took it along');
});

t.test('default_workers_per_model is for the models of the start, too', async t => {
  const text = [...addresses, 'load_models=resnet-18.mar', 'default_workers_per_model=7'];
  writeFileSync(join(folder, 'workers.properties'), text.join('\n'));
  const args = ['--foreground', '--mms-config', 'workers.properties', '--model-store', store];
  const served = run(temporary(), args);
  const [line = ''] = (await served.says('Model server started.\n')).split('\n');
  const { management } = JSON.parse(line);
  const described = JSON.parse((await call(`${management}/models/resnet_18`)).text);
  t.match(described, { minWorkers: 7, maxWorkers: 7 });
  served.child.kill('SIGTERM');
  t.equal(await served.code, 0);
});

t.test('without a model store ALL is no model, and it starts', async t => {
  writeFileSync(join(folder, 'all.properties'), [...addresses, 'load_models=ALL'].join('\n'));
  const directory = temporary();
  const served = run(directory, ['--foreground', '--mms-config', 'all.properties']);
  await served.says('Model server started.\n');
  rmSync(join(directory, '.model_server.pid'));
  mkdirSync(join(directory, '.model_server.pid'));
  served.child.kill('SIGTERM');
  await served.closed;
  t.equal(await served.code, 0, 'and ends well, whatever became of its pid file');
  t.match(served.stderr(), /"level":"warn",.*"event":"no_models"/);
  t.match(served.stderr(), /multi-model-server: .*\.model_server\.pid: is no file; remove it\n/);
});

t.test('it is stopped while it fetches a model at its start', async t => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => {
    silent.closeAllConnections();
    silent.close();
  });
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/a.mar`;
  const text = [...addresses, `load_models=${url}`, 'allowed_urls=http://127.*'].join('\n');
  writeFileSync(join(folder, 'fetch.properties'), text);
  const asked = once(silent, 'request');
  const directory = temporary();
  const args = ['--foreground', '--mms-config', 'fetch.properties'];
  const { code, closed, stderr } = run(directory, args);
  await asked;
  t.equal((await ended(directory, '--stop')).text, 'Model server stopped.\n');
  await closed;
  t.equal(await code, 0);
  t.match(stderr(), /"event":"model_failed".*"code":"INFER_CLOSED"/);
});

/** A process that waits, with these words on its command line. */
async function waiting(...words: readonly string[]): Promise<ChildProcess> {
  const code = "process.stdout.write('up'); process.stdin.resume()";
  const child = spawn(process.execPath, ['-e', code, '--', ...words]);
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  return child;
}

/** The pid file of a process, in a folder of its own. @param earlierS  how much earlier it says that one started. */
function recorded(pid: number, earlierS: number): string {
  const path = join(temporary(), '.model_server.pid');
  writeFileSync(path, `${pid}\n`);
  const startedS = (processInfo(pid)?.startedS ?? 0) - earlierS;
  utimesSync(path, startedS, startedS);
  return path;
}

t.test('a server is stopped by its pid file whatever the clock says by now', async t => {
  const child = await waiting(program, '--foreground');
  const exited = once(child, 'exit');
  const path = recorded(child.pid ?? 0, 0);
  const stopped = await ended(dirname(path), '--stop');
  t.same(stopped, { code: 0, text: 'Model server stopped.\n' });
  t.same(await exited, [null, 'SIGTERM']);
});

const others = [
  { name: 'is gone', words: undefined, earlierS: 0 },
  { name: 'is another program', words: ['--foreground'], earlierS: 0 },
  { name: 'only has ours in a word', words: ['a--foreground', program], earlierS: 0 },
  { name: 'started later', words: [program, '--foreground'], earlierS: 1 },
];

for (const { name, words, earlierS } of others) {
  t.test(`the pid file of a process that ${name} stops nothing`, async t => {
    const child = words === undefined ? undefined : await waiting(...words);
    const path = recorded(child?.pid ?? 2 ** 22 + 1, earlierS);
    const stopped = await ended(dirname(path), '--stop');
    t.same(stopped, { code: 0, text: 'Model server already stopped.\n' });
    t.equal(existsSync(path), false);
    t.equal(child?.signalCode ?? null, null);
    t.equal(child === undefined || child.kill(0), true, 'it is there');
  });
}

t.test('a process of ours is told from this one, and found by ps as well', async t => {
  const { pid = 0 } = await waiting(program, '--foreground');
  const [info, ps, own] = [processInfo(pid), fromPs(pid), processInfo(process.pid)];
  t.equal(isServer({ pid, startedS: info?.startedS ?? 0 }), true);
  t.equal(isServer({ pid: process.pid, startedS: own?.startedS ?? 0 }), false);
  t.ok(info?.words.includes(program) && ps.words.includes(program));
  t.ok(Number.isInteger(info?.startedS) && Number.isInteger(ps.startedS), 'both tell seconds');
  t.ok(ps.startedS > 1_700_000_000, 'since 1970');
  t.equal(processInfo(2 ** 22 + 1), undefined);
  askToEnd(2 ** 22 + 1); // is no error
});

const files: readonly { readonly name: string; readonly make: (path: string) => void }[] = [
  { name: 'no number', make: path => writeFileSync(path, 'all') },
  { name: 'minus one', make: path => writeFileSync(path, '-1') },
  { name: 'a directory', make: path => mkdirSync(path) },
  { name: 'a pipe', make: path => execFileSync('mkfifo', [path]) },
  { name: 'a link', make: path => symlinkSync(config, path) },
];

for (const { name, make } of files) {
  t.test(`a pid file that is ${name} is refused`, async t => {
    const directory = temporary();
    make(join(directory, '.model_server.pid'));
    const { code, text } = await ended(directory, '--stop');
    t.equal(code, 1);
    t.match(text, /\.model_server\.pid: .*; remove it/);
  });
}

t.test('the older name says that it is older', async t => {
  const old = join(folder, 'mxnet-model-server');
  symlinkSync(program, old);
  const { closed, code, stderr, stdout } = run(temporary(), ['--stop'], old);
  await closed;
  t.equal(await code, 0);
  t.match(stderr(), 'this name is deprecated, please use multi-model-server');
  t.equal(stdout(), 'Model server is not currently running.\n');
});

t.test('it explains its settings and starts nothing', async t => {
  const { code, text } = await ended(temporary(), '--explain', '--model-store', store);
  t.equal(code, 0);
  t.match(text, /\nmodelStore +\S*store +--model-store\n/);
  t.match(text, /\nport +0 +config.properties:1: inference_address\n/);
  t.match(text, 'ignored: vmargs (config.properties:5): there is no Java machine here\n');
});
