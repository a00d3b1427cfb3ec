// SPDX-License-Identifier: Apache-2.0
// Every error code is provoked through the public API.
import { spawnSync } from 'node:child_process';
import { readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type ErrorCode, errorCodes } from '../../lib/errors.js';
import { type InferenceError, loadModel, type Model } from '../../lib/index.js';
import { failure, fixture, root, textOf, until } from '../helpers.js';
import { zerosModel } from '../onnx_bytes.js';

const four = { x: new Float32Array(4) };
const endless = { x: new Float32Array(64), iterations: new BigInt64Array([BigInt(2 ** 40)]) };

/** Runs loadModel() in a process of its own with these variables; what it rejects with. */
function loadElsewhere(environment: Readonly<Record<string, string>>): Told {
  const script = `
    const { loadModel } = await import(${JSON.stringify(join(root, 'dist/lib/index.js'))});
    const error = await loadModel(${JSON.stringify(fixture('affine.onnx'))}).catch(reason => reason);
    console.log(JSON.stringify({ code: error.code, message: error.message }));`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, NODE_OPTIONS: '', ...environment },
    encoding: 'utf8',
  });
  return JSON.parse(child.stdout) as Told;
}

/** A folder of prebuilt addons that holds the addon of another package, sharp's. */
function foreignAddon(t: Test): string {
  const tuple = `${process.platform}-${process.arch}`;
  const folder = t.testdir({ prebuilds: {} });
  symlinkSync(
    join(root, 'node_modules/@img', `sharp-${tuple}`, 'lib'),
    join(folder, 'prebuilds', tuple),
  );
  return folder;
}

async function fullQueue(t: Test): Promise<Told> {
  const batching = { maxQueue: 1 };
  const model = await loadModel(fixture('spin.onnx'), { batching, placement: { lanes: 1 } });
  t.teardown(() => model.close());
  const controller = new AbortController();
  const { signal } = controller;
  t.teardown(() => controller.abort());
  const running = model.predict(endless, { signal });
  await until(() => model.stats().inFlight === 1);
  const waiting = model.predict(endless, { signal });
  const refused = await failure(model.predict(endless));
  t.equal(model.stats().queueDepth, 1, 'the waiting one keeps its place');
  controller.abort();
  await Promise.allSettled([running, waiting]);
  return refused;
}

/** Code and message of what was provoked. */
type Told = Pick<InferenceError, 'code' | 'message'>;

/** A loaded model, closed when the test ends. */
async function open(t: Test, name: string) {
  const model = await loadModel(fixture(name));
  t.teardown(() => model.close());
  return model;
}

/** What predict() of a fixture rejects with. */
async function refusal(t: Test, name: string, call: (model: Model) => Promise<unknown>) {
  return failure(call(await open(t, name)));
}

const provoke: Readonly<Record<ErrorCode, ((t: Test) => Told | Promise<Told>) | 'server'>> = {
  INFER_BAD_INPUT: t => refusal(t, 'affine.onnx', model => model.predict({})),
  INFER_MODEL_NOT_FOUND: () => failure(loadModel(fixture('none.onnx'))),
  INFER_MODEL_INVALID: () => failure(loadModel(fixture('README.md'))),
  INFER_MODEL_EXISTS: 'server', // names are the server's; see its tests
  INFER_QUEUE_FULL: fullQueue,
  INFER_DEADLINE: t => refusal(t, 'spin.onnx', model => model.predict(endless, { timeoutMs: 5 })),
  INFER_CANCELLED: t =>
    refusal(t, 'affine.onnx', model => model.predict(four, { signal: AbortSignal.abort() })),
  INFER_CLOSED: t =>
    refusal(t, 'affine.onnx', async model => {
      await model.close();
      return model.predict(four);
    }),
  INFER_ENGINE_UNAVAILABLE: () => loadElsewhere({ INFERENCE_NATIVE_ORT_PATH: '/none/library.so' }),
  INFER_DEVICE_UNAVAILABLE: () =>
    failure(loadModel(fixture('affine.onnx'), { placement: { device: 'cuda:0' } })),
  INFER_ENGINE_FAILED: t =>
    refusal(t, 'gather.onnx', model => model.predict({ index: new BigInt64Array([7n]) })),
  INFER_OUT_OF_MEMORY: async t => {
    const path = join(t.testdir(), 'zeros.onnx');
    writeFileSync(path, zerosModel());
    const model = await loadModel(path);
    t.teardown(() => model.close());
    return failure(model.predict({ count: new BigInt64Array([2n ** 44n]) }));
  },
  INFER_INTERNAL: t => loadElsewhere({ INFERENCE_NATIVE_PREBUILD: foreignAddon(t) }),
};

t.same(Object.keys(provoke), errorCodes, 'no code is left out');
for (const code of errorCodes) {
  const cause = provoke[code];
  if (cause === 'server') {
    t.test(`${code} is left to the server`, async t => {
      const sources = readdirSync(join(root, 'lib')).filter(name => name !== 'errors.ts');
      t.ok(sources.length > 10);
      t.notOk(sources.some(name => textOf('lib', name).includes(`'${code}'`)));
    });
    continue;
  }
  t.test(`${code} is provoked`, async t => {
    const error = await cause(t);
    t.equal(error.code, code, error.message);
    t.ok(error.message.length > 10, 'it says why');
  });
}
