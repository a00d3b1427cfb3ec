// SPDX-License-Identifier: Apache-2.0
// onEngineLog(): lines of the engine come here and nowhere else.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { loadModel, onEngineLog } from '../../lib/index.js';
import { deliverLog } from '../../lib/log.js';
import { fixture, root, until } from '../helpers.js';

t.test('a failed run is told to the listener', async t => {
  const lines: { level: string; engine: string; message: string }[] = [];
  t.teardown(onEngineLog(line => lines.push(line)));
  const model = await loadModel(fixture('gather.onnx'));
  t.teardown(() => model.close());
  await t.rejects(model.predict({ index: new BigInt64Array([50n]) }));
  await until(() => lines.length > 0);
  t.match(lines[0], { level: /^(warn|error)$/, engine: 'onnxruntime', message: /Gather/ });
});

t.test('it is told also where another component started the engine first', async t => {
  const script = `
    const ort = (await import('onnxruntime-node')).default;
    await ort.InferenceSession.create(${JSON.stringify(fixture('affine.onnx'))});
    const { loadModel, onEngineLog } = await import(${JSON.stringify(join(root, 'dist/lib/index.js'))});
    const told = new Promise(resolve => onEngineLog(({ message }) => resolve(message)));
    const model = await loadModel(${JSON.stringify(fixture('gather.onnx'))});
    await model.predict({ index: new BigInt64Array([50n]) }).catch(error => console.log(error.code));
    console.log(await told);
    await model.close();`;
  const args = ['--input-type=module', '-e', script];
  const env = { ...process.env, NODE_OPTIONS: '' };
  const { stdout, stderr } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    env,
    cwd: root,
  });
  t.equal(stderr, '');
  t.match(stdout, /^INFER_ENGINE_FAILED\n.*Gather/);
});

t.test('every listener gets every line until it leaves', async t => {
  const seen: string[] = [];
  const endFirst = onEngineLog(({ message }) => seen.push(`first ${message}`));
  const endSecond = onEngineLog(({ message }) => seen.push(`second ${message}`));
  deliverLog([['info', 'e', 'one']]);
  endFirst();
  endFirst();
  deliverLog([['info', 'e', 'two']]);
  endSecond();
  deliverLog([['info', 'e', 'three']]);
  t.same(seen, ['first one', 'second one', 'second two']);
});

t.test('a listener that throws is an uncaught exception and disturbs no other', async t => {
  const script = `
    const { onEngineLog } = await import(${JSON.stringify(join(root, 'dist/lib/index.js'))});
    const { deliverLog } = await import(${JSON.stringify(join(root, 'dist/lib/log.js'))});
    process.once('uncaughtException', error => console.log('uncaught', error.message));
    onEngineLog(() => { throw new Error('bad listener'); });
    onEngineLog(({ message }) => console.log('heard', message));
    deliverLog([['warn', 'e', 'line']]);`;
  const args = ['--input-type=module', '-e', script];
  const env = { ...process.env, NODE_OPTIONS: '' };
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', env });
  t.equal(stderr, '');
  t.same(stdout.trim().split('\n'), ['heard line', 'uncaught bad listener']);
});
