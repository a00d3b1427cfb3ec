// SPDX-License-Identifier: Apache-2.0
// What `npm test` runs: native tests, then TypeScript tests; the last line is `N passed, N failed`.
// Flags: --native-only, and --sanitize address|thread for the native tests under that sanitizer.
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { mustRun, root, runNativeTests, SANITIZERS } from './native_tests.mjs';
import { runTap, testFiles } from './tap_run.mjs';
import { sumTallies } from './tap_tally.mjs';

function runTypeScriptTests() {
  mustRun(process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', '.']);
  return runTap(testFiles(), process.execPath, join(root, 'build', 'tests.tap'));
}

/** Runs one part; a part that cannot run is one failure, so that the last line is always printed. */
function attempt(name, part) {
  try {
    return part();
  } catch (error) {
    return { passed: 0, failed: 1, skipped: 0, failures: [{ name, details: [error.message] }] };
  }
}

function main() {
  const { values } = parseArgs({
    options: { 'native-only': { type: 'boolean' }, sanitize: { type: 'string', default: '' } },
  });
  if (values.sanitize && !SANITIZERS.includes(values.sanitize)) {
    console.error(`--sanitize: expected ${SANITIZERS.join(' or ')}, got ${values.sanitize}`);
    process.exitCode = 2;
    return;
  }
  const parts = [attempt('native tests', () => runNativeTests(values.sanitize))];
  if (!values['native-only'] && !values.sanitize) {
    parts.push(attempt('TypeScript tests', runTypeScriptTests));
  }
  const sum = sumTallies(parts);
  for (const { name, details } of sum.failures) {
    console.log(`not ok - ${name}\n${details.join('\n')}`);
  }
  if (parts.some(part => part.passed + part.failed === 0)) {
    console.log('not ok - a part without a single result');
    sum.failed += 1;
  }
  if (sum.skipped > 0) console.log(`${sum.skipped} skipped; the reasons are above`);
  console.log(`${sum.passed} passed, ${sum.failed} failed`);
  process.exitCode = sum.failed > 0 ? 1 : 0;
}

main();
