// SPDX-License-Identifier: Apache-2.0
// Which files a model has.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Beyond these nothing is looked at: a directory of a model has some ten. */
const mostFiles = 10_000;

/** The path, and what lies below it, level by level; not behind links, which may lead into any tree, also round. */
export async function filesIn(path: string): Promise<readonly string[]> {
  const files = [path];
  const folders = [path];
  for (const folder of folders) {
    // A file has no entries, and those of a folder that cannot be read are not loaded either.
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    const names = entries.map(({ name }) => join(folder, name)).sort();
    files.push(...names.slice(0, mostFiles - files.length));
    if (files.length >= mostFiles) return files;
    for (const entry of entries) if (entry.isDirectory()) folders.push(join(folder, entry.name));
  }
  return files;
}
