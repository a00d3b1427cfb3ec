// SPDX-License-Identifier: Apache-2.0
// How a process ends: idle with a loaded model, with work in flight, and after its handles were collected.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t from 'tap';

interface Ending {
  readonly program: string;
  readonly prints: RegExp;
  readonly code?: number;
  readonly complains?: RegExp;
  readonly flags?: readonly string[];
}

const endings: readonly Ending[] = [
  { program: 'loaded and idle', prints: /^loaded\n$/ },
  { program: 'answered and idle', prints: /^answered\n$/ },
  { program: 'ended with requests pending', prints: /^(true\n){5}$/ },
  { program: 'ended with a load pending', prints: /^spin_batch\n$/ },
  { program: 'process.exit with work in flight', prints: /^joined\n$/ },
  { program: 'process.exit with a run that cannot be stopped', prints: /^leaving\n$/, code: 3 },
  { program: 'process.exit while bodies are read', prints: /^leaving\n$/ },
  { program: 'process.exit during a load', prints: /^$/ },
  { program: 'process.exit with busy workers', prints: /^leaving\n$/ },
  { program: 'process.exit in a worker', prints: /^worker: 0\n$/ },
  {
    program: 'workers alone with the addon',
    prints: /^(INFER_ENGINE_FAILED\n){2}in place\n$/,
  },
  {
    program: 'an uncaught error with work in flight',
    prints: /^$/,
    code: 1,
    complains: /Error: on purpose/,
  },
  {
    program: 'a handle that is collected',
    prints: /^used: 1\ngiven back\n$/,
    flags: ['--expose-gc'],
  },
  {
    program: 'a handle that is collected while it works',
    prints: /^right: 4\n$/,
    flags: ['--expose-gc'],
  },
];

for (const { program, prints, code = 0, complains = /^$/, flags = [] } of endings) {
  t.test(program, async t => {
    const file = fileURLToPath(new URL('./program.js', import.meta.url));
    const child = spawn(process.execPath, [...flags, file, program]);
    t.teardown(() => child.kill('SIGKILL'));
    let out = '';
    let err = '';
    child.stdout.on('data', chunk => (out += chunk));
    child.stderr.on('data', chunk => (err += chunk));
    const end = await once(child, 'close');
    t.same(end, [code, null], 'exit code, and no signal');
    t.match(out, prints);
    t.match(err, complains, 'and nothing else is complained about');
  });
}
