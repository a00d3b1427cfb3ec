// SPDX-License-Identifier: Apache-2.0
// What the tests of model packages share: a folder of their own, archives and directories in it, and what is unpacked.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { createPackages } from '../../server/packages/index.js';

export const folder = mkdtempSync(join(tmpdir(), 'packages-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const workDir = join(folder, 'work');
export const settings = { modelStore: '', workDir, maxPackageBytes: 2 ** 26, allowedUrls: [] };
export const packages = await createPackages(settings);
t.teardown(packages.close);

export type Files = Readonly<Record<string, string | Buffer>>;

/** A new file with these bytes. */
export function fileOf(name: string, bytes: Buffer): string {
  const path = join(mkdtempSync(join(folder, 'archive-')), name);
  writeFileSync(path, bytes);
  return path;
}

export function directoryOf(files: Files): string {
  const directory = mkdtempSync(join(folder, 'directory-'));
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), bytes);
  }
  return directory;
}

/** What this process has unpacked now. */
export function unpacked(): string[] {
  const own = join(workDir, `${hostname()}-${process.pid}`);
  try {
    return readdirSync(own);
  } catch {
    return [];
  }
}
