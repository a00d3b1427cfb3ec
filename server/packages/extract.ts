// SPDX-License-Identifier: Apache-2.0
// Unpacks an archive into an empty directory, and lets nothing of it get out of there.
import { mkdir, open, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { InferenceError } from '../../lib/index.js';
import {
  type Archive,
  type ArchiveEntry,
  allowance,
  invalid,
  invalidEntry,
  longestName,
  type PackageLimits,
  quoted,
  type ReadArchive,
} from './archive.js';
import { storageError } from './storage.js';
import { readTar } from './tar.js';
import { readZip } from './zip.js';

/** File name endings of archives. */
const readers: readonly { ends: RegExp; magic: string; is: string; read: ReadArchive }[] = [
  { ends: /\.(mar|zip|model)$/i, magic: 'PK\x03\x04', is: 'a zip archive', read: readZip },
  { ends: /\.(tar\.gz|tgz)$/i, magic: '\x1f\x8b', is: 'a gzip file', read: readTar },
];

/** Whether a file name is that of an archive. */
export function isArchiveName(name: string): boolean {
  return readers.some(({ ends }) => ends.test(name));
}

/**
 * Unpacks all files of an archive. Files that were written before a failure are left to the caller to remove.
 * @param name       of the archive file: its ending says what it is.
 * @param directory  empty.
 * @throws           INFER_MODEL_INVALID naming entry and limit; INFER_INTERNAL when the directory cannot be written.
 */
export async function extract(
  archive: Archive,
  name: string,
  directory: string,
  limits: PackageLimits,
): Promise<void> {
  const reader = readers.find(({ ends }) => ends.test(name));
  if (reader === undefined) throw invalid(archive.label, 'no name of an archive');
  const start = Buffer.alloc(reader.magic.length);
  await archive.handle.read(start, 0, start.length, 0);
  if (start.toString('latin1') !== reader.magic) {
    const got = `0x${start.toString('hex')}`;
    throw invalid(archive.label, `expected ${reader.is}, got a file that begins with ${got}`);
  }
  const admit = createGate(archive, limits);
  let files = 0;
  await reader.read(archive, limits, async entry => {
    const path = admit(entry);
    if (path === '') return; // the top directory itself
    await place(archive, entry, join(directory, path));
    if (entry.kind === 'file') files++;
  });
  if (files === 0) throw invalid(archive.label, 'expected at least one file, got none');
}

/** Checks one entry after another, each against all before it. @returns  its relative path. */
function createGate(archive: Archive, limits: PackageLimits): (entry: ArchiveEntry) => string {
  const { bytes, rule } = allowance(archive, limits);
  const taken = new Map<string, 'file' | 'directory'>();
  let count = 0;
  let sum = 0;
  return ({ name, kind, sizeBytes }) => {
    if (++count > limits.maxEntries) {
      throw invalidEntry(archive, name, `expected at most ${limits.maxEntries} entries, got more`);
    }
    if (kind !== 'file' && kind !== 'directory') {
      throw invalidEntry(archive, name, `expected a file or directory, got ${kind}`);
    }
    const problem = nameProblem(name);
    if (problem !== undefined) throw invalidEntry(archive, name, problem);
    sum += sizeBytes;
    if (sum > bytes) {
      const got = `${sum} with this one`;
      throw invalidEntry(
        archive,
        name,
        `expected at most ${bytes} bytes in all (${rule}), got ${got}`,
      );
    }
    if (kind === 'directory' && sizeBytes > 0) {
      throw invalidEntry(
        archive,
        name,
        `expected a directory without content, got ${sizeBytes} bytes`,
      );
    }
    const parts = name.split('/').filter(part => part !== '' && part !== '.');
    claim(archive, { taken, name, parts, kind });
    if (taken.size > limits.maxEntries) {
      const expected = `expected at most ${limits.maxEntries} files and directories`;
      throw invalidEntry(archive, name, `${expected} with those above them, got more`);
    }
    return parts.join('/');
  };
}

const longestPart = 255;
const deepest = 32;

/** What is wrong with the name of an entry. */
export function nameProblem(name: string): string | undefined {
  const parts = name.split('/');
  if (name === '') return 'expected a name';
  if (Buffer.byteLength(name) > longestName)
    return `expected a name of at most ${longestName} bytes`;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (/[\x00-\x1f\x7f]/.test(name)) return 'expected a name without control characters';
  if (name.includes('\\')) return 'expected a name without backslashes';
  if (name.startsWith('/')) return 'expected a relative path, got an absolute one';
  if (/^[a-z]:/i.test(name)) return 'expected a relative path, got one with a drive letter';
  if (parts.includes('..')) return 'expected a path that stays inside, got one with ".."';
  if (parts.some(part => Buffer.byteLength(part) > longestPart)) {
    return `expected parts of at most ${longestPart} bytes between the slashes`;
  }
  if (parts.length > deepest) return `expected at most ${deepest} directories within each other`;
  return undefined;
}

interface Claim {
  readonly taken: Map<string, 'file' | 'directory'>;
  readonly name: string;
  readonly parts: readonly string[];
  readonly kind: 'file' | 'directory';
}

/** Where upper and lower case or two spellings of one letter are the same to a file system, one file would replace another. */
function fold(path: string): string {
  return path.normalize('NFKC').toUpperCase().toLowerCase();
}

/** Takes the path of an entry and of the directories above it. */
function claim(archive: Archive, { taken, name, parts, kind }: Claim): void {
  for (let depth = 1; depth <= parts.length; depth++) {
    const path = fold(parts.slice(0, depth).join('/'));
    const wanted = depth < parts.length ? 'directory' : kind;
    const before = taken.get(path);
    if (before !== undefined && (before === 'file' || wanted === 'file')) {
      throw invalidEntry(archive, name, 'expected each name once, whatever its case; got it again');
    }
    taken.set(path, wanted);
  }
}

async function place(archive: Archive, entry: ArchiveEntry, path: string): Promise<void> {
  try {
    if (entry.kind === 'directory') {
      await mkdir(path, { recursive: true, mode: 0o700 });
      return;
    }
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, 'wx', 0o600);
    try {
      await writeFile(file, measured(archive, entry));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof InferenceError) throw error;
    throw storageError(`cannot write entry ${quoted(entry.name)} of ${archive.label}`, error);
  }
}

/** The content of an entry, no more and no less than its announced size. */
async function* measured(archive: Archive, { name, sizeBytes, read }: ArchiveEntry) {
  let got = 0;
  for await (const chunk of read()) {
    got += chunk.length;
    if (got > sizeBytes) break;
    yield chunk;
  }
  if (got !== sizeBytes) {
    const came = got > sizeBytes ? 'more' : String(got);
    throw invalidEntry(archive, name, `expected ${sizeBytes} bytes, as it announces, got ${came}`);
  }
}
