// SPDX-License-Identifier: Apache-2.0
// Runs the programs of this folder with an addon under AddressSanitizer; its last line is `N passed, N failed`.
// Needs g++, whose runtime is loaded into Node before everything else, and the compiled tests (npm run build:ts).
// Node itself loses nothing when its script ends by itself, so any leak counts and nothing is suppressed; after
// process.exit() and uncaught errors it does, so there only wrong accesses count.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { mustRun, root } from '../../tools/native_tests.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const compiled = join(root, 'dist', 'test', 'lifecycle', 'program.js');
const folder = join(root, 'build', 'asan'); // stands in for the package: node-gyp-build looks below it
const stressSeconds = process.argv[2] ?? '5'; // of everything at once: "npm run test:asan 300" for the long one
const longestMs = 60_000 + 1000 * Number(stressSeconds);

const programs = [
  { name: 'workers ended at work' },
  { name: 'workers ended while bodies are read' },
  { name: 'workers ended during their loads' },
  { name: 'workers alone with the addon' },
  { name: 'everything at once', more: stressSeconds },
  { name: 'loaded and idle' },
  { name: 'answered and idle' },
  { name: 'ended with requests pending' },
  { name: 'ended with a load pending' },
  { name: 'a handle that is collected' },
  { name: 'a handle that is collected while it works' },
  { name: 'process.exit with work in flight', leaks: false },
  { name: 'process.exit while bodies are read', leaks: false },
  { name: 'process.exit during a load', leaks: false },
  { name: 'process.exit with busy workers', leaks: false },
  { name: 'process.exit in a worker', leaks: false },
  { name: 'an uncaught error with work in flight', leaks: false, status: 1 },
];

/** Where g++ keeps a library of its own. */
function runtime(name) {
  return mustRun('g++', [`-print-file-name=${name}`]).trim();
}

/** Runs Node with the sanitizer; libstdc++ comes with it because it looks there for what it intercepts. */
function underAsan(args, leaks) {
  return spawnSync(process.execPath, args, {
    encoding: 'utf8',
    timeout: longestMs,
    env: {
      ...process.env,
      LD_PRELOAD: `${runtime('libasan.so')} ${runtime('libstdc++.so.6')}`,
      ASAN_OPTIONS: `detect_leaks=${leaks ? 1 : 0}:exitcode=99`,
      INFERENCE_NATIVE_PREBUILD: folder,
    },
  });
}

function build() {
  mustRun(process.execPath, [join(root, 'native', 'build.mjs'), '--sanitize', 'address']);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'build'), { recursive: true });
  symlinkSync(join(root, 'build', 'addon-address', 'Release'), join(folder, 'build', 'Release'));
  const leak = join(folder, 'planted_leak.node');
  const source = join(here, 'planted_leak.cc');
  mustRun('g++', ['-shared', '-fPIC', '-fsanitize=address', '-g', '-o', leak, source]);
  return leak;
}

/** Whether the program ended as it should, and what it wrote if not. */
function runProgram({ name, more, leaks = true, status = 0 }) {
  const args = more === undefined ? [name] : [name, more];
  const child = underAsan(['--expose-gc', compiled, ...args], leaks);
  const reported = /(Address|Leak)Sanitizer/.test(child.stderr);
  if (child.status === status && !reported) return true;
  console.log(`status ${child.status}, signal ${child.signal}\n${child.stdout}${child.stderr}`);
  return false;
}

function main() {
  const leak = build();
  const seen = underAsan(['-e', 'require(process.argv[1])', leak], true);
  const results = [
    ['a planted leak is found', /LeakSanitizer[\s\S]*planted_leak/.test(seen.stderr)],
    ...programs.map(program => [program.name, runProgram(program)]),
  ];
  for (const [name, good] of results) console.log(`${good ? 'ok' : 'not ok'} - ${name}`);
  const failed = results.filter(([, good]) => !good).length;
  console.log(`${results.length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 ? 1 : 0;
}

main();
