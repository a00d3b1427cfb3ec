// SPDX-License-Identifier: Apache-2.0
// What `npm run lint` runs: Biome, clang-format and clang-tidy over every source; --fix formats instead.
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { configureNativeTests, mustRun, root } from './native_tests.mjs';

// Other major versions format and warn otherwise, so one of them on PATH is not used.
const TOOLS = [
  { name: 'clang-format', version: '23.1.3' },
  { name: 'clang-tidy', version: '23.1.4' },
];
const venv = join(root, 'build', 'lint-venv');

function versionOf(command) {
  const { status, stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  return status === 0 ? (/version (\d+)\./.exec(stdout)?.[1] ?? '') : '';
}

function createVenv() {
  const wheels = TOOLS.map(({ name, version }) => `${name}==${version}`);
  try {
    mustRun('python3', ['-m', 'venv', venv]);
    mustRun(join(venv, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', ...wheels]);
  } catch (error) {
    throw new Error(
      `${error.message}\nLinting native code needs clang-format and clang-tidy ${TOOLS[0].version.split('.')[0]} on PATH, ` +
        'or python3 with its venv module (Debian: apt-get install python3-venv) and a package index that pip can reach.',
    );
  }
}

/** The commands to run, by name: from PATH in the right version, else from our own virtual environment. */
function findTools() {
  const found = {};
  for (const { name, version } of TOOLS) {
    const [major] = version.split('.');
    const own = join(venv, 'bin', name);
    found[name] = [name, own].find(command => versionOf(command) === major);
    if (found[name] === undefined) {
      createVenv();
      found[name] = own;
    }
  }
  return found;
}

function nativeFiles(folder) {
  return readdirSync(join(root, folder), { recursive: true })
    .filter(name => /\.(h|cc)$/.test(name))
    .map(name => join(folder, name))
    .sort();
}

/** Runs one command; resolves to its output when it failed, else to the empty string. */
function outputIfFailed(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const chunks = [];
    child.stdout.on('data', chunk => chunks.push(chunk));
    child.stderr.on('data', chunk => chunks.push(chunk));
    child.on('error', reject);
    child.on('close', status => resolve(status === 0 ? '' : Buffer.concat(chunks).toString()));
  });
}

/** Absolute paths of the sources that some target in this build folder compiles. */
function compiledIn(folder) {
  const commands = JSON.parse(readFileSync(join(folder, 'compile_commands.json'), 'utf8'));
  return new Set(commands.map(({ directory, file }) => resolve(directory, file)));
}

/**
 * clang-tidy over each file with the flags it is compiled with, as many at a time as there are cores.
 * A source that no target compiles on this machine, for want of a foreign header, is named instead.
 */
async function tidy(clangTidy, files) {
  const folder = configureNativeTests('');
  const compiled = compiledIn(folder);
  const isKnown = file => file.endsWith('.h') || compiled.has(join(root, file));
  for (const file of files.filter(file => !isKnown(file)))
    console.log(`not checked, as nothing compiles it here: ${file}`);
  const waiting = files.filter(isKnown);
  let failed = 0;
  const worker = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const output = await outputIfFailed(clangTidy, ['--quiet', '-p', folder, file]);
      if (output) {
        failed += 1;
        console.error(output.trim());
      }
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
  return failed === 0;
}

function show(command, args) {
  return spawnSync(command, args, { cwd: root, stdio: 'inherit' }).status === 0;
}

async function main() {
  const { values } = parseArgs({ options: { fix: { type: 'boolean', default: false } } });
  const biome = join(root, 'node_modules', '@biomejs', 'biome', 'bin', 'biome');
  const mode = values.fix ? ['check', '--write'] : ['ci', '--reporter=default'];
  const colours = process.stdout.isTTY ? 'force' : 'off';
  const sources = show(process.execPath, [biome, ...mode, `--colors=${colours}`]);
  const tools = findTools();
  const folders = ['native', join('test', 'engines'), join('test', 'native')];
  const files = folders.flatMap(nativeFiles);
  const format = values.fix ? ['-i'] : ['--dry-run', '-Werror'];
  const formatted = show(tools['clang-format'], [...format, ...files]);
  const tidied = values.fix || (await tidy(tools['clang-tidy'], files));
  const results = { Biome: sources, 'clang-format': formatted, 'clang-tidy': tidied };
  for (const [name, good] of Object.entries(results))
    console.log(`${good ? 'ok' : 'not ok'} - ${name}`);
  process.exitCode = Object.values(results).includes(false) ? 1 : 0;
}

try {
  await main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
