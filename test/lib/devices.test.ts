// SPDX-License-Identifier: Apache-2.0
// listDevices(): the layout of this machine against what the system itself says, and under a smaller mask.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { type DeviceReport, listDevices, loadModel } from '../../lib/index.js';
import { fixture, root } from '../helpers.js';

const sysfs = '/sys/devices/system';

/** "0-3,8" as numbers. */
function idsIn(list: string): number[] {
  return list
    .trim()
    .split(',')
    .filter(range => range !== '')
    .flatMap(range => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
}

t.test('listDevices() reports lanes, the reason and the engine in use', async t => {
  const report = listDevices();
  t.ok(report.quota > 0);
  t.ok(report.lanes >= 1 && report.lanes <= report.cores.length);
  t.match(report.reason, /^\d+ allowed cores?.* quota.*: \d+ lanes?, .*JS threads$/);
  t.same(report.problems, []);
  t.match(report.engines, [
    { name: 'onnxruntime', available: true, version: /^\d+\.\d+\.\d+/, devices: ['cpu'] },
  ]);
  t.notOk(report.engines[0]?.problem);
  const model = await loadModel(fixture('affine.onnx'));
  const cores = model.info.lanes.map(({ core }) => core);
  t.equal(cores.length, report.lanes);
  const expected = report.pinned ? report.laneCores : cores.map(() => null);
  t.same(new Set(cores), new Set(expected), 'the model has the lanes of the report');
  await model.close();
});

t.test('every core is in one physical core, in one node, and free or of a lane', async t => {
  const { cores, physicalCores, nodes, laneCores, freeCores, lanes, pinned } = listDevices();
  const sorted = (ids: readonly number[]) => [...ids].sort((a, b) => a - b);
  t.ok(cores.length > 0);
  t.same(sorted(physicalCores.flat()), cores);
  t.same(sorted(nodes.flatMap(node => node.cores)), cores);
  t.same(sorted([...laneCores, ...freeCores]), cores);
  t.equal(laneCores.length, pinned ? lanes : 0);
});

const skip = process.platform !== 'linux' && 'other systems tell nothing of this';
t.test('cores, siblings and nodes are those the system names', { skip }, async t => {
  const { cores, physicalCores, nodes } = listDevices();
  const [, mask = ''] =
    /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  t.same(cores, idsIn(mask));
  for (const group of physicalCores) {
    // The newer name of thread_siblings_list, which the addon reads.
    const file = join(sysfs, 'cpu', `cpu${group[0]}`, 'topology', 'core_cpus_list');
    if (!existsSync(file)) continue;
    const all = idsIn(readFileSync(file, 'utf8'));
    t.same(
      group,
      all.filter(core => cores.includes(core)),
    );
  }
  for (const { id, cores: inNode } of nodes) {
    for (const core of inNode) {
      const folder = join(sysfs, 'cpu', `cpu${core}`);
      const links = existsSync(folder)
        ? readdirSync(folder).filter(name => /^node\d/.test(name))
        : [];
      t.same(links, links.length === 0 ? [] : [`node${id}`]);
    }
  }
});

t.test('a process that may use one core has one lane there', { skip }, async t => {
  const [core = 0] = listDevices().cores.slice(-1);
  const main = join(root, 'dist', 'server', 'main.js');
  const words = ['-c', `${core}`, process.execPath, main, 'devices', '--json'];
  const child = spawnSync('taskset', words, { encoding: 'utf8' });
  const report: DeviceReport = JSON.parse(child.stdout);
  t.match(report, { cores: [core], physicalCores: [[core]], lanes: 1, nodes: [{ cores: [core] }] });
  t.ok(!report.pinned || report.laneCores[0] === core);
});
