// SPDX-License-Identifier: Apache-2.0
// Configures, builds and runs the native tests with CMake.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildFolder, engineLibrary, runCmakeJs } from '../native/build.mjs';
import { tallyTap } from './tap_tally.mjs';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
export const SANITIZERS = ['address', 'thread'];

/** Runs a command to its end; throws with its output unless it ends with status 0. */
export function mustRun(command, args, options = {}) {
  const child = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    ...options,
  });
  if (child.error) throw new Error(`${command} cannot be started: ${child.error.message}`);
  if (child.status !== 0) {
    const output = `${child.stdout ?? ''}${child.stderr ?? ''}`;
    throw new Error(`${command} ${args.join(' ')} failed\n${output}`);
  }
  return child.stdout ?? '';
}

/**
 * Writes the build files, in the folder where the addon is built: they have most objects in common.
 * @param sanitize  'address', 'thread' or '' for none.
 * @returns         the build folder.
 */
export function configureNativeTests(sanitize) {
  const folder = join(root, buildFolder(sanitize));
  if (!existsSync(join(folder, 'CMakeCache.txt'))) runCmakeJs('configure', sanitize);
  const engine = `-DINFER_ORT_LIBRARY=${engineLibrary()?.path ?? ''}`;
  mustRun('cmake', [folder, '-DINFER_TESTS=ON', engine]);
  return folder;
}

/**
 * ThreadSanitizer of gcc 12 gives up where the kernel spreads addresses wider than it expects
 * (vm.mmap_rnd_bits above 28), so its programs run without address randomisation where that is allowed.
 */
function launcher(sanitize) {
  if (sanitize !== 'thread') return [];
  return spawnSync('setarch', ['-R', 'true']).status === 0 ? ['setarch', '-R'] : [];
}

/** ctest -V to TAP: the lines of a program indented, then the program itself as a point. */
function tapFromCtest(output) {
  return output
    .split('\n')
    .map(line => {
      const printed = /^\d+: (.*)$/.exec(line);
      if (printed) return `    ${printed[1]}`;
      const result = /^ *\d+\/\d+ Test +#\d+: (\S+) \.+(.*?)[\d.]+ sec/.exec(line);
      if (!result) return '';
      const how = result[2].replace(/[*.\s]+/g, ' ').trim();
      return how === 'Passed' ? `ok - ${result[1]}` : `not ok - ${result[1]}: ${how}`;
    })
    .join('\n');
}

function report(output, tally) {
  for (const line of output.split('\n')) {
    const result = /^ *\d+\/\d+ Test +#\d+: (\S+) \.+ *(.*)$/.exec(line);
    if (result) console.log(`native ${result[1]}: ${result[2]}`);
    const skipped = /^\d+: ok \d+ - (.* # SKIP .*)$/.exec(line);
    if (skipped) console.log(`  ${skipped[1]}`);
  }
  if (tally.failed > 0) console.log(output);
}

/**
 * Builds and runs the native tests.
 * @param sanitize  'address', 'thread' or '' for none.
 * @returns         the tally of their cases.
 */
export function runNativeTests(sanitize) {
  const folder = configureNativeTests(sanitize);
  const jobs = String(availableParallelism());
  mustRun('cmake', ['--build', folder, '--target', 'native_tests', '--parallel', jobs]);
  const [command, ...before] = [...launcher(sanitize), 'ctest'];
  const child = spawnSync(command, [...before, '-V'], {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: {
      ...process.env,
      ASAN_OPTIONS: 'detect_leaks=1',
      TSAN_OPTIONS: 'second_deadlock_stack=1',
    },
  });
  if (child.error) throw new Error(`ctest cannot be started: ${child.error.message}`);
  const output = `${child.stdout}${child.stderr}`;
  const tally = tallyTap(tapFromCtest(output));
  if (child.status !== 0 && tally.failed === 0) {
    tally.failed = 1;
    tally.failures.push({ name: `ctest ended with status ${child.status}`, details: [] });
  }
  report(output, tally);
  return tally;
}
