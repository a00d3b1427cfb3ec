// SPDX-License-Identifier: Apache-2.0
// The one build entry: configure, compile, place one .node file and the ONNX Runtime library beside it.
// Flags: --sanitize address|thread builds into build/addon-<sanitizer> instead of build/.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);

/** The library files that ship with an engine, per platform; null where upstream builds none. */
export function engineLibrary() {
  const names = { linux: 'libonnxruntime.so.1', darwin: 'libonnxruntime.1.dylib' };
  const name = names[process.platform];
  if (name === undefined) return null;
  const home = dirname(require.resolve('onnxruntime-node/package.json'));
  const path = join(home, 'bin', 'napi-v6', process.platform, process.arch, name);
  return existsSync(path) ? { name, path } : null;
}

/** Copies `from` to `to` unless a file of the same size and age is there already. */
export function copyIfChanged(from, to) {
  const source = statSync(from);
  if (existsSync(to)) {
    const target = statSync(to);
    if (target.size === source.size && target.mtimeMs >= source.mtimeMs) return;
  }
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
}

/** @param sanitize  'address', 'thread' or '' for none. @returns the folder, below the root. */
export function buildFolder(sanitize) {
  return sanitize ? join('build', `addon-${sanitize}`) : 'build';
}

/**
 * Runs cmake-js, which tells CMake where Node's headers are.
 * @param command  'configure' or 'build'.
 * @param more     further arguments.
 * @throws         an Error when it fails; what it printed is on the terminal.
 */
export function runCmakeJs(command, sanitize, more = []) {
  const cmakeJs = require.resolve('cmake-js/bin/cmake-js');
  const args = [cmakeJs, command, '--out', buildFolder(sanitize), '--config', 'Release', ...more];
  if (sanitize) args.push(`--CDINFER_SANITIZE=${sanitize}`);
  const { status, error } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) throw new Error(`cmake-js ${command} ended with status ${status}`);
}

function build(sanitize) {
  const out = buildFolder(sanitize);
  const jobs = String(availableParallelism()); // make would take one
  runCmakeJs('build', sanitize, ['--target', 'inference_native', '--parallel', jobs]);
  const library = engineLibrary();
  if (library) copyIfChanged(library.path, join(root, out, 'Release', library.name));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { sanitize: { type: 'string' } } });
  try {
    build(values.sanitize ?? '');
  } catch (error) {
    console.error(error.message);
    console.error(
      'The addon did not compile. It needs a C++20 compiler (g++ 12 or later) and CMake 3.18 or later.',
    );
    process.exitCode = 1;
  }
}
