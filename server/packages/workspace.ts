// SPDX-License-Identifier: Apache-2.0
// The folder that archives are unpacked in: one directory for each content, kept while somebody uses it.
import { createHash } from 'node:crypto';
import { lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { InferenceError } from '../../lib/index.js';
import {
  type Archive,
  chunksOf,
  invalid,
  type PackageLimits,
  quoted,
  reasonOf,
} from './archive.js';
import { extract } from './extract.js';

/** A directory of one's own. */
export interface Unpacked {
  readonly directory: string;
  /** To be called once; removes the directory when nobody else has it. */
  readonly release: () => Promise<void>;
}

export interface Workspace {
  /**
   * @param path  of an archive file. Archives of the same content share one directory, also while it is made.
   * @throws      INFER_MODEL_INVALID, INFER_MODEL_NOT_FOUND, INFER_BAD_INPUT.
   */
  readonly unpack: (path: string) => Promise<Unpacked>;
  /** An empty directory. */
  readonly scratch: () => Promise<Unpacked>;
  /** Removes everything. */
  readonly close: () => Promise<void>;
}

interface Shared {
  readonly directory: Promise<string>;
  users: number;
}

/**
 * @param workDir  made when it is first needed. It holds one folder for each process, `{host name}-{process id}`;
 *                 those of processes of this host that are gone are removed.
 */
export async function createWorkspace(workDir: string, limits: PackageLimits): Promise<Workspace> {
  await removeLeftovers(workDir);
  const own = join(workDir, ownName());
  const byContent = new Map<string, Shared>();
  let made = 0;
  const release = async (key: string, shared: Shared) => {
    if (--shared.users > 0) return;
    byContent.delete(key);
    const directory = await shared.directory.catch(() => undefined); // a failure has left nothing
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  };
  return {
    unpack: async path => {
      const archive = await openArchive(path);
      try {
        const key = await contentOf(archive);
        let shared = byContent.get(key);
        if (shared === undefined) {
          const directory = unpackInto(archive, join(own, String(made++)), limits);
          shared = { directory, users: 0 };
          byContent.set(key, shared);
        }
        const held = shared;
        held.users++;
        try {
          return { directory: await held.directory, release: () => release(key, held) };
        } catch (error) {
          await release(key, held);
          throw error;
        }
      } finally {
        await archive.handle.close();
      }
    },
    scratch: async () => {
      const directory = join(own, String(made++));
      await makeOwn(directory);
      return { directory, release: () => rm(directory, { recursive: true, force: true }) };
    },
    close: () => rm(own, { recursive: true, force: true }),
  };
}

function ownName(): string {
  return `${hostname()}-${process.pid}`;
}

/** A process that was killed could not clean up. One with our own id is gone as well: ids are used again. */
async function removeLeftovers(workDir: string): Promise<void> {
  const names = await readdir(workDir).catch(() => []);
  const ours = `${hostname()}-`;
  const stale = names.filter(name => {
    const pid = name.startsWith(ours) ? Number(name.slice(ours.length)) : Number.NaN;
    return Number.isInteger(pid) && pid > 0 && (pid === process.pid || !isAlive(pid));
  });
  await Promise.all(stale.map(name => rm(join(workDir, name), { recursive: true, force: true })));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

interface OpenArchive extends Archive {
  readonly name: string;
  readonly mtimeMs: number;
}

async function openArchive(path: string): Promise<OpenArchive> {
  try {
    const handle = await open(path, 'r');
    const { size: sizeBytes, mtimeMs } = await handle.stat();
    const name = basename(path);
    return { label: `archive ${quoted(name)}`, name, handle, sizeBytes, mtimeMs };
  } catch (error) {
    const message = `model ${quoted(path)} cannot be read (${(error as NodeJS.ErrnoException).code})`;
    throw new InferenceError('INFER_MODEL_NOT_FOUND', message, { cause: error });
  }
}

/** SHA-256 of the archive. */
async function contentOf({ handle }: Archive): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of chunksOf(handle)) hash.update(chunk);
  return hash.digest('hex');
}

/** Unpacks beside the directory and renames then, so that one of its name is always complete. */
async function unpackInto(
  archive: OpenArchive,
  directory: string,
  limits: PackageLimits,
): Promise<string> {
  const partial = `${directory}-partial`;
  await makeOwn(partial);
  try {
    await extract(archive, archive.name, partial, limits);
    const { size, mtimeMs } = await archive.handle.stat();
    if (size !== archive.sizeBytes || mtimeMs !== archive.mtimeMs) {
      const problem = 'expected a file that stays as it is, but it changed while it was read';
      throw invalid(archive.label, problem);
    }
    await rename(partial, directory);
    return directory;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}

/** Makes a directory that nobody else can write to: whoever could change a model could change its answers. */
async function makeOwn(directory: string): Promise<void> {
  const above = join(directory, '..', '..');
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const { uid, mode } = await lstat(above);
    const isShared = (mode & 0o022) !== 0 && (mode & 0o1000) === 0;
    if (isShared || ![0, process.getuid?.()].includes(uid)) {
      throw new Error('other users may write there');
    }
  } catch (error) {
    const message = `workDir: expected a directory to unpack archives in, got ${quoted(above)}: ${reasonOf(error)}`;
    throw new InferenceError('INFER_BAD_INPUT', message, { cause: error });
  }
}
