// SPDX-License-Identifier: Apache-2.0
// Runs the compiled lib and lifecycle tests with other versions of Node, which come as npm packages.
// Usage: node tools/node_versions.mjs MAJOR...; its last line is `N passed, N failed`.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun, root } from './native_tests.mjs';
import { runTap, testFiles } from './tap_run.mjs';
import { sumTallies } from './tap_tally.mjs';

/** The path of a Node of that major version, from the package node-<platform>-<arch>; installs it if needed. */
function nodeOf(major) {
  const folder = join(root, 'build', `node-${major}`);
  const name = `node-${process.platform}-${process.arch}`;
  const node = join(folder, 'node_modules', name, 'bin', 'node');
  if (!existsSync(node)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n'); // else npm looks further up
    const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
    mustRun('npm', ['install', ...options, `${name}@${major}`], { cwd: folder });
  }
  return node;
}

function runWith(major) {
  const node = nodeOf(major);
  const { stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  console.log(`Node ${stdout.trim()}`);
  const files = [...testFiles('lib'), ...testFiles('lifecycle')];
  return runTap(files, node, join(root, 'build', `tests-node-${major}.tap`));
}

const majors = process.argv.slice(2);
if (majors.length === 0 || !majors.every(major => /^\d+$/.test(major))) {
  console.error('usage: node tools/node_versions.mjs MAJOR...');
  process.exit(2);
}
const sum = sumTallies(majors.map(runWith));
for (const { name, details } of sum.failures) {
  console.log(`not ok - ${name}\n${details.join('\n')}`);
}
console.log(`${sum.passed} passed, ${sum.failed} failed`);
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0;
