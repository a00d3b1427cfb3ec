// SPDX-License-Identifier: Apache-2.0
// The repository's own text files, for the tests that read all of them.
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Source {
  readonly path: string; // from the repository root, with forward slashes
  readonly text: string;
}

const root = fileURLToPath(new URL('../../../', import.meta.url)); // from dist/test/rules
const made = new Set(['.git', '.tap', 'build', 'dist', 'node_modules', 'prebuilds', 'shared']);
const textFiles = /\.(cc|css|gyp|h|html|js|json|md|mjs|py|sh|ts|txt|ya?ml)$/;
const namedFiles = new Set(['CMakeLists.txt', 'LICENSE', '.npmrc', '.ci/run', '.clang-tidy']);

function walk(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap(entry => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory())
      return made.has(path) || entry.name === '__pycache__' ? [] : walk(path);
    return entry.isFile() && (textFiles.test(path) || namedFiles.has(path)) ? [path] : [];
  });
}

/** Every text file that people wrote, in order of path; build outputs and packages are left out. */
export const repository: readonly Source[] = walk('')
  .sort()
  .map(path => ({ path, text: readFileSync(join(root, path), 'utf8') }));

/** The files below one of `folders` whose extension is one of `extensions`, such as `.ts`. */
export function sourcesIn(folders: readonly string[], extensions: readonly string[]): Source[] {
  return repository.filter(
    ({ path }) =>
      folders.some(folder => path.startsWith(`${folder}/`)) && extensions.includes(extname(path)),
  );
}
