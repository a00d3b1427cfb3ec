// SPDX-License-Identifier: Apache-2.0
// How large a model is: its files, each once, and nothing that only links lead to.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { sizeOf } from '../../server/registry/size.js';

t.test(
  'a directory counts its files, also those below, and follows no link to a folder',
  async t => {
    const folder = t.testdir({ 'model.onnx': 'x'.repeat(100), weights: { part: 'y'.repeat(23) } });
    symlinkSync('.', join(folder, 'a'));
    symlinkSync('.', join(folder, 'b'));
    symlinkSync('/', join(folder, 'root'));
    t.equal(await sizeOf(folder), 123);
    t.equal(await sizeOf(join(folder, 'model.onnx')), 100);
    t.equal(await sizeOf(join(folder, 'none')), 0);
  },
);

t.test('a link to a file is that file', async t => {
  const folder = t.testdir({ shared: { data: 'z'.repeat(7) } });
  mkdirSync(join(folder, 'model'));
  symlinkSync('../shared/data', join(folder, 'model', 'data'));
  writeFileSync(join(folder, 'model', 'model.onnx'), 'm');
  t.equal(await sizeOf(join(folder, 'model')), 8);
});
