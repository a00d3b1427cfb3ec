// SPDX-License-Identifier: Apache-2.0
// scale(): a loaded model goes to other lanes while it serves.
import t from 'tap';
import { listDevices, loadModel, type Model, type Scaling } from '../../lib/index.js';
import { failure, fixture, until } from '../helpers.js';

const four = new Float32Array(4);
const { cores, pinned } = await listDevices();
const most = cores.length;

const inputs = Array.from({ length: 7 }, (_, at) => ({
  x: Float32Array.from({ length: 64 }, (_, i) => i * at),
  iterations: new BigInt64Array([20n]),
}));

async function answer(model: Model, at: number): Promise<string> {
  const { y } = await model.predict(inputs[at % inputs.length] ?? {});
  return String(y?.data);
}

t.test('info.lanes names the lanes that every handle is on', async t => {
  const model = await loadModel(fixture('affine.onnx'), { placement: { lanes: 1 } });
  const other = await loadModel(fixture('affine.onnx'), { placement: { lanes: 1 } });
  const { info } = model;
  t.equal(info.lanes.length, 1);
  await model.scale({ lanes: most });
  t.equal(info.lanes.length, most);
  t.equal(new Set(info.lanes.map(({ core }) => core)).size, pinned ? most : 1, 'one on each core');
  t.same(other.info.lanes, info.lanes);
  t.ok(Object.isFrozen(info) && Object.isFrozen(info.lanes));
  await other.scale({ lanes: 1 });
  t.equal(info.lanes.length, 1);
  t.equal(JSON.parse(JSON.stringify(info)).lanes.length, 1);
  await Promise.all([model.close(), other.close()]);
  t.equal(info.lanes.length, 1, 'the last ones, after close()');
});

t.test('a model moves to the cores that it is given', async t => {
  const model = await loadModel(fixture('affine.onnx'));
  for (const core of cores) {
    await model.scale({ cores: [core] });
    t.same(model.info.lanes, [{ core }]);
    t.ok((await model.predict({ x: four }))['y']);
  }
  await model.close();
});

t.test('scaled a hundred times under load, a model answers every request', async t => {
  const model = await loadModel(fixture('spin.onnx'), { placement: { lanes: 1 } });
  const right = await Promise.all(inputs.map((_, at) => answer(model, at)));
  t.equal(new Set(right).size, inputs.length, 'answers that differ');
  let scaled = 0;
  let wrong = 0;
  const call = async () => {
    for (let at = 0; scaled < 100; at++) {
      if ((await answer(model, at)) !== right[at % right.length]) wrong++;
    }
  };
  const callers = Array.from({ length: 8 }, call);
  for (; scaled < 100; scaled++) {
    const { completed } = model.stats();
    await model.scale(scaled % 2 === 0 ? { lanes: most } : { cores: cores.slice(-1) });
    await until(() => model.stats().completed > completed);
  }
  await Promise.all(callers);
  const { requests, completed, errors } = model.stats();
  t.same({ completed, errors, wrong }, { completed: requests, errors: {}, wrong: 0 });
  await model.close();
});

const refused: readonly { name: string; to: unknown; message: string }[] = [
  { name: 'nothing', to: undefined, message: 'an object with one of "lanes" and "cores"' },
  { name: 'an empty object', to: {}, message: 'got neither' },
  { name: 'both keys', to: { lanes: 1, cores: [0] }, message: 'got both' },
  { name: 'another key', to: { lanes: 1, device: 'cpu' }, message: 'got the key "device"' },
  { name: 'no lanes', to: { lanes: 0 }, message: '"placement.lanes": expected an integer from 1' },
  { name: 'cores that are no list', to: { cores: 0 }, message: '"placement.cores": expected an' },
  { name: 'a core twice', to: { cores: [0, 0] }, message: '"placement.cores": expected an' },
  { name: 'too many lanes', to: { lanes: most + 1 }, message: `at most the ${most} cores` },
  { name: 'a core that is not ours', to: { cores: [65535] }, message: 'core 65535 is not one' },
];

t.test('what cannot be is refused, and the model stays where it is', async t => {
  const model = await loadModel(fixture('affine.onnx'));
  const before = model.info.lanes;
  for (const { name, to, message } of refused) {
    const error = await failure(model.scale(to as Scaling));
    t.equal(error.code, 'INFER_BAD_INPUT', name);
    t.ok(error.message.includes(message), `${name}: ${error.message}`);
  }
  t.same(model.info.lanes, before);
  await model.close();
});

t.test('a closed model is not scaled, also when it is closed meanwhile', async t => {
  const model = await loadModel(fixture('affine.onnx'), { name: 'gone' });
  const scaled = failure(model.scale({ lanes: 1 }));
  await model.close();
  t.equal((await scaled).code, 'INFER_CLOSED');
  await t.rejects(model.scale({ lanes: 1 }), { code: 'INFER_CLOSED', message: /"gone"/ });
});
