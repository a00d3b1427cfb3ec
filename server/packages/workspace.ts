// SPDX-License-Identifier: Apache-2.0
// The folder that archives are unpacked in: one directory for each content, kept while somebody uses it.
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { availableParallelism, hostname } from 'node:os';
import { join } from 'node:path';
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
import { isOwn, makeOwn, storageError } from './storage.js';
import { createTurns } from './turns.js';

/** A directory of one's own. */
export interface Unpacked {
  readonly directory: string;
  /** To be called once; removes the directory when nobody else has it. */
  readonly release: () => Promise<void>;
}

export interface Workspace {
  /**
   * Archives of the same content share one directory, also while it is made.
   * @param path  of an archive file.
   * @param name  what it is called: the ending says what kind of archive it is.
   * @throws      INFER_MODEL_INVALID, INFER_MODEL_NOT_FOUND, INFER_INTERNAL when `workDir` cannot be used.
   */
  readonly unpack: (path: string, name: string) => Promise<Unpacked>;
  /** An empty directory. */
  readonly scratch: () => Promise<Unpacked>;
  /** Removes everything. */
  readonly close: () => Promise<void>;
  /** What of earlier processes could not be removed. */
  readonly notes: readonly string[];
}

interface Shared {
  readonly directory: Promise<string>;
  users: number;
}

/**
 * As many archives are read at once as there are cores; others wait.
 * @param workDir  made when it is first needed. It holds one folder for each process, `{host name}-{process id}`;
 *                 those of processes of this host that are gone are removed.
 */
export async function createWorkspace(workDir: string, limits: PackageLimits): Promise<Workspace> {
  const notes = await removeLeftovers(workDir);
  const own = join(workDir, ownName());
  const share = createSharing();
  const inTurn = createTurns(availableParallelism());
  let made = 0;
  const nextDirectory = async () => {
    await makeOwn(workDir);
    await makeOwn(own);
    return join(own, String(made++));
  };
  return {
    unpack: async (path, name) => {
      const archive = await openArchive(path, name);
      try {
        const key = await inTurn(() => contentOf(archive));
        const unpackNow = async () => unpackInto(archive, await nextDirectory(), limits);
        return await share(key, () => inTurn(unpackNow));
      } finally {
        await archive.handle.close();
      }
    },
    scratch: async () => {
      const directory = await nextDirectory();
      await makeOwn(directory);
      return { directory, release: () => rm(directory, { recursive: true, force: true }) };
    },
    close: async () => {
      if (await isOwn(workDir)) await rm(own, { recursive: true, force: true });
    },
    notes,
  };
}

/** Makes the directory of a key for the first who wants it, and removes it when nobody has it any more. */
function createSharing() {
  const byKey = new Map<string, Shared>();
  const release = async (key: string, shared: Shared) => {
    if (--shared.users > 0) return;
    byKey.delete(key);
    const directory = await shared.directory.catch(() => undefined); // a failure has left nothing
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  };
  return async (key: string, make: () => Promise<string>): Promise<Unpacked> => {
    const shared = byKey.get(key) ?? { directory: make(), users: 0 };
    byKey.set(key, shared);
    shared.users++;
    try {
      return { directory: await shared.directory, release: () => release(key, shared) };
    } catch (error) {
      await release(key, shared);
      throw error;
    }
  };
}

function ownName(): string {
  return `${hostname()}-${process.pid}`;
}

/**
 * A process that was killed could not clean up. One with our own id is gone as well: ids are used again. In a directory
 * that others may write to nothing is removed: they could have made it, and could lead us elsewhere meanwhile.
 * @returns  what was left where it is, and why.
 */
async function removeLeftovers(workDir: string): Promise<readonly string[]> {
  if (!(await isOwn(workDir))) return [];
  const names = await readdir(workDir).catch(() => []);
  const ours = `${hostname()}-`;
  const stale = names.filter(name => {
    const pid = name.startsWith(ours) ? Number(name.slice(ours.length)) : Number.NaN;
    return Number.isInteger(pid) && pid > 0 && (pid === process.pid || !isAlive(pid));
  });
  const notes = stale.map(async name => {
    try {
      await rm(join(workDir, name), { recursive: true, force: true });
      return [];
    } catch (error) {
      return [`workDir: cannot remove what another process has left: ${reasonOf(error)}`];
    }
  });
  return (await Promise.all(notes)).flat();
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

/** Opening a named pipe would wait for its other end, were it not for O_NONBLOCK. */
async function openArchive(path: string, name: string): Promise<OpenArchive> {
  const label = `archive ${quoted(name)}`;
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(error => {
    const message = `${label} cannot be read (${error.code})`;
    throw new InferenceError('INFER_MODEL_NOT_FOUND', message, { cause: error });
  });
  const found = await handle.stat();
  if (found.isFile()) {
    return { label, name, handle, sizeBytes: found.size, mtimeMs: found.mtimeMs };
  }
  await handle.close();
  throw invalid(label, 'expected a regular file');
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
    await rename(partial, directory).catch(error => {
      throw storageError(`cannot rename ${quoted(partial)}`, error);
    });
    return directory;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw error;
  }
}
