// SPDX-License-Identifier: Apache-2.0
// What many loads and unloads leave behind: nothing, neither memory nor files. Needs /proc, so Linux.
import { readdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { tableModel } from '../onnx_bytes.js';
import { call, metric, postJson } from './helpers.js';
import { baseDirectory, startOnSageMaker } from './sagemaker.js';

/** As many cycles of a model of 20 MB as the time of a test run allows; 500 for the figures. */
const cycles = Number(process.env['SAGEMAKER_CYCLES'] ?? 40);
const skip = process.platform === 'linux' ? false : 'there is no /proc';

t.test(`${cycles} loads, runs and unloads leave nothing behind`, { skip }, async t => {
  const base = await baseDirectory(t);
  const url = join(base, 'models', 'a', 'model');
  await mkdir(url, { recursive: true });
  await writeFile(join(url, 'model.onnx'), tableModel(20 * 2 ** 20, 3));
  const server = await startOnSageMaker(t, base, { env: { SAGEMAKER_MULTI_MODEL: 'true' } });
  const { inference, pid } = server;
  const cycle = async () => {
    const load = await postJson(`${inference}/models`, { model_name: 'a', url });
    const run = await postJson(`${inference}/predictions/a`, '[0]');
    const unload = await call(`${inference}/models/a`, { method: 'DELETE' });
    t.same([load.status, run.text, unload.status], [200, '[3]', 200]);
  };
  const state = async () => {
    const files = readdirSync(`/proc/${pid}/fd`).length;
    return { files, bytes: await metric(server, 'inference_process_resident_memory_bytes') };
  };
  const fifth = Math.ceil(cycles / 5);
  for (let index = 0; index < fifth; index++) await cycle();
  const early = await state();
  for (let index = fifth; index < cycles; index++) await cycle();
  const late = await state();
  t.ok(late.files <= early.files + 4, `${early.files} files became ${late.files}`); // connections come and go
  const most = cycles < 500 ? 1.25 : 1.05; // a few are not enough for the allocator to settle
  t.ok(late.bytes < early.bytes * most, `${early.bytes} became ${late.bytes}`);
});
