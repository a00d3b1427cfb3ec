// SPDX-License-Identifier: Apache-2.0
// Builds the addon and fills prebuilds/<platform>-<arch>/ of this machine: what `npm pack` ships.
// Folders of other platforms are left as they are: a release collects them from one machine each.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { copyIfChanged, engineLibrary } from '../native/build.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const { platform, arch } = process;
const folder = join(root, 'prebuilds', `${platform}-${arch}`);
const built = join(root, 'build', 'Release', 'inference_native.node');

/** The oldest C library that the package promises to run on: Debian 12. */
const oldestGlibcMinor = 36;

/** node-gyp-build reads the tag and so leaves the file alone where the C library is musl. */
const addonName = platform === 'linux' ? 'inference-native.glibc.node' : 'inference-native.node';

/** The newest minor version of glibc that a binary asks for, from its version names. */
function glibcMinorOf(path) {
  const names = readFileSync(path)
    .toString('latin1')
    .matchAll(/GLIBC_2\.(\d+)/g);
  return Math.max(0, ...Array.from(names, ([, minor]) => Number(minor)));
}

/** The licences of what the folder holds besides our own code. */
function notices() {
  const home = name => dirname(require.resolve(`${name}/package.json`));
  const version = name =>
    JSON.parse(readFileSync(join(home(name), 'package.json'), 'utf8')).version;
  const text = path => readFileSync(path, 'utf8').trim();
  return [
    `onnxruntime-node ${version('onnxruntime-node')}`,
    text(join(root, 'tools', 'onnxruntime_notice.txt')),
    `${'-'.repeat(80)}\nnode-addon-api ${version('node-addon-api')}, compiled into the addon`,
    text(join(home('node-addon-api'), 'LICENSE.md')),
    '',
  ].join('\n\n');
}

function fill(library) {
  const wanted = [addonName, library.name, 'NOTICES.txt'];
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    if (!wanted.includes(name)) rmSync(join(folder, name), { recursive: true });
  }
  copyIfChanged(built, join(folder, addonName));
  copyIfChanged(library.path, join(folder, library.name));
  writeFileSync(join(folder, 'NOTICES.txt'), notices());
  return wanted;
}

function main() {
  const library = engineLibrary();
  if (library === null) {
    throw new Error(
      `onnxruntime-node has no library for ${platform}-${arch}: nothing to ship here`,
    );
  }
  const { status, error } = spawnSync(process.execPath, [join(root, 'native', 'build.mjs')], {
    stdio: ['ignore', process.stderr, process.stderr],
  });
  if (error) throw error;
  if (status !== 0) throw new Error('native/build.mjs failed');
  const minor = Math.max(glibcMinorOf(built), glibcMinorOf(library.path));
  if (minor > oldestGlibcMinor) {
    throw new Error(
      `the binaries need glibc 2.${minor}, the package promises 2.${oldestGlibcMinor}: build on an older system`,
    );
  }
  const names = fill(library);
  const needs = minor === 0 ? '' : `, for glibc 2.${minor} or newer`;
  console.error(`prebuilds/${platform}-${arch}: ${names.join(', ')}${needs}`);
}

try {
  main();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
