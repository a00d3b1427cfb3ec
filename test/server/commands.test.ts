// SPDX-License-Identifier: Apache-2.0
// The command line: commands, refusals, failed starts.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { listDevices } from '../../lib/index.js';
import { fixture, root, textOf } from '../helpers.js';
import { call, copyModel, digits, iris, postJson, runCommand, startServer } from './helpers.js';

const folder = await mkdtemp(join(tmpdir(), 'inference-native-'));
t.teardown(() => rm(folder, { recursive: true }));
const freePorts = ['--port', '0', '--management-port', '0', '--metrics-port', '0'];

const refusals = [
  {
    args: [],
    code: 2,
    says: /^inference-native: which command\? known are serve, devices, archive, config, help$/,
  },
  {
    args: ['start'],
    code: 2,
    says: /^inference-native: start: no such command; known are serve, devices, archive, config, help$/,
  },
  {
    args: ['serve', '--prot', '1'],
    code: 2,
    says: /^inference-native: --prot: no such flag; known are /,
  },
  {
    args: ['devices', '--yaml'],
    code: 2,
    says: /^inference-native: --yaml: no such flag; known is --json$/,
  },
] as const;

for (const { args, code, says } of refusals) {
  t.test(`"${args.join(' ')}" is refused`, async t => {
    const ended = await runCommand(args);
    t.equal(ended.code, code);
    t.match(ended.log[0]?.['text'], says);
    t.equal(ended.output, '');
  });
}

t.test('help and version', async t => {
  for (const args of [['help'], ['--help'], ['serve', '--help']]) {
    const { code, output } = await runCommand(args);
    t.equal(code, 0);
    t.match(output, /serve \[MODEL\.\.\.\][\s\S]*--max-request-bytes/);
  }
  const { output } = await runCommand(['--version']);
  t.equal(output.trim(), JSON.parse(textOf('package.json')).version);
});

t.test('devices prints what the library reports', async t => {
  const report = listDevices();
  const { code, output } = await runCommand(['devices', '--json']);
  t.equal(code, 0);
  t.same(
    JSON.parse(output),
    JSON.parse(JSON.stringify(report)),
    'an infinite quota is null in both',
  );
  const readable = await runCommand(['devices']);
  t.match(
    readable.output,
    /^Cores {4}\d.*\nSiblings \w.*\nNodes {4}\d+: \d.*\nLanes {4}\d+, .*\n {9}.*JS threads\nEngine {3}onnxruntime \d+\.\d+/,
  );
});

t.test('devices explains an engine that is missing', async t => {
  const environment = { INFERENCE_NATIVE_ORT_PATH: join(folder, 'nothing.so') };
  const { code, output } = await runCommand(['devices'], environment);
  t.equal(code, 1);
  t.match(output, /Engine {3}onnxruntime: not available[\s\S]*nothing\.so/);
});

const truncated = join(folder, 'truncated.onnx');
await writeFile(truncated, Buffer.from([8, 8, 18, 200]));
const crooked = await copyModel(digits, {
  preprocess: { image: { image: { size: [32, 32], colour: 'gray', mean: [0], std: [1] } } },
});
t.teardown(crooked.remove);
const failures = [
  {
    name: 'preprocessing that cannot make the input',
    args: [crooked.folder],
    code: 'INFER_MODEL_INVALID',
  },
  { name: 'a missing model', args: [join(folder, 'none.onnx')], code: 'INFER_MODEL_NOT_FOUND' },
  { name: 'a broken model', args: [truncated], code: 'INFER_MODEL_INVALID' },
  {
    name: 'two models of one name',
    args: [iris, `iris=${fixture('affine.onnx')}`],
    code: 'INFER_MODEL_EXISTS',
  },
] as const;

for (const { name, args, code } of failures) {
  t.test(`${name} ends the start with its reason`, async t => {
    const ended = await runCommand(['serve', ...args, ...freePorts]);
    t.equal(ended.code, 1);
    const failed = ended.log.find(({ event }) => event === 'model_failed');
    t.match(failed, { level: 'error', code, message: String, path: String });
    t.equal(ended.output, '', 'it never said that it listens');
  });
}

t.test('a port that is taken ends the start with its reason', async t => {
  const first = await startServer({ models: [iris] });
  t.teardown(first.stop);
  const { port } = new URL(first.inference);
  const second = await runCommand(['serve', iris, ...freePorts, '--port', port]);
  t.equal(second.code, 1);
  const failed = second.log.find(({ event }) => event === 'start_failed');
  t.match(failed, {
    level: 'fatal',
    message: new RegExp(`cannot listen on http://127\\.0\\.0\\.1:${port}: .*EADDRINUSE`),
  });
  t.equal(second.output, '');
  t.equal((await call(`${first.inference}/ping`)).status, 200, 'the first still answers');
});

t.test('without a model the shipped ones are served, and the log tells what happened', async t => {
  const server = await startServer();
  const { text } = await call(`${server.management}/models`);
  const names = JSON.parse(text).models.map((model: { modelName: string }) => model.modelName);
  t.same(names, ['digits', 'iris']);
  t.equal(await server.stop(), 0);
  const events = server.log.map(({ event }) => event);
  t.same(events, [
    'layout',
    'engine',
    'model_loaded',
    'model_loaded',
    'listening',
    'drain_started',
    'drain_ended',
  ]);
  const { engines, quota, ...layout } = listDevices();
  const shown = { ...layout, quota: Number.isFinite(quota) ? quota : null };
  t.match(server.log[0], { level: 'info', ...shown }, 'the layout that listDevices() reports');
  const [line] = server.output().split('\n');
  t.match(JSON.parse(line ?? ''), {
    event: 'listening',
    inference: String,
    management: String,
    metrics: String,
    httpThreads: 1,
  });
});

t.test('a log that nobody reads stops neither the process nor its end', async t => {
  const script = `
    import { createLog, flushLog } from ${JSON.stringify(join(root, 'dist', 'server', 'log.js'))};
    const log = createLog('info');
    for (let line = 0; line < 5000; line++) log.info({ event: 'long', text: 'x'.repeat(1000) });
    const waiting = process.stderr.writableLength;
    process.stdout.write(JSON.stringify({ waiting, flushed: await flushLog() }));
    process.exit(3);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  child.stderr.pause();
  const output = once(child.stdout, 'data');
  const [code] = await once(child, 'exit');
  t.equal(code, 3);
  const { waiting, flushed } = JSON.parse(String(await output));
  t.equal(flushed, false);
  t.ok(waiting > 900_000 && waiting < 1_010_000, `${waiting} bytes of 5 MB wait`);
});

t.test('an error of the engine at run time is a 500 that is logged once', async t => {
  const server = await startServer({ models: [fixture('spin_batch.onnx'), iris] });
  t.teardown(server.stop);
  const none = { inputs: [{ name: 'x', datatype: 'FP32', shape: [0, 64], data: [] }] };
  for (let round = 0; round < 3; round++) {
    const { status, text } = await postJson(`${server.inference}/predictions/spin_batch`, none);
    t.equal(status, 500);
    t.match(JSON.parse(text), { code: 500, type: 'InternalServerException', message: /./ });
  }
  t.equal((await call(`${server.inference}/ping`)).status, 200);
  await server.stop();
  const failed = server.log.filter(({ event }) => event === 'request_failed');
  t.match(failed, [
    { level: 'error', path: '/predictions/spin_batch', err: { code: 'INFER_ENGINE_FAILED' } },
  ]);
  t.equal(failed.length, 1);
  t.match(
    server.log.filter(({ event }) => event === 'also_logged'),
    [{ of: 'request_failed', kind: /^INFER_ENGINE_FAILED spin_batch /, alsoSinceLast: 2 }],
  );
  t.ok(server.log.filter(({ event }) => event === 'engine_log').length <= 1);
});
