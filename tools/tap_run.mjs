// SPDX-License-Identifier: Apache-2.0
// Runs compiled test files with tap, under any Node, and counts their results.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from './native_tests.mjs';
import { tallyTap } from './tap_tally.mjs';

/**
 * Compiled files of the tests that exist below a folder: dist/ may still hold a test whose source is gone.
 * @param folder  relative to test/.
 */
export function testFiles(folder = '.') {
  return readdirSync(join(root, 'test', folder), { recursive: true })
    .filter(name => name.endsWith('.test.ts'))
    .map(name => join('dist', 'test', folder, name.replace(/\.ts$/, '.js')))
    .sort();
}

/**
 * Runs test files; tap's report goes to the terminal.
 * @param files   compiled, relative to the root.
 * @param node    the Node to run tap and the tests with.
 * @param output  file to keep the TAP text in.
 * @returns       the tally of their cases.
 */
export function runTap(files, node, output) {
  mkdirSync(dirname(output), { recursive: true });
  rmSync(output, { force: true });
  const tap = join('node_modules', 'tap', 'dist', 'esm', 'run.mjs');
  const options = ['--disable-coverage', '--allow-empty-coverage', '--reporter=base'];
  const child = spawnSync(node, [tap, 'run', ...options, `--output-file=${output}`, ...files], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (child.error) throw child.error;
  const tally = tallyTap(readFileSync(output, 'utf8'));
  if (child.status !== 0 && tally.failed === 0) {
    tally.failed = 1;
    tally.failures.push({ name: `tap ended with status ${child.status}`, details: [] });
  }
  return tally;
}
