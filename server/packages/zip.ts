// SPDX-License-Identifier: Apache-2.0
// Reads zip archives (.mar, .zip, .model): the directory at their end first, then one entry after another.
import { pipeline } from 'node:stream';
import { createInflateRaw } from 'node:zlib';
import { type Entry, fromFdPromise, type ZipFile } from 'yauzl';
import {
  type Archive,
  chunkBytes,
  chunksOf,
  invalid,
  invalidEntry,
  longestName,
  type PackageLimits,
  type ReadArchive,
  reasonOf,
  type Visit,
} from './archive.js';
import { crc32 } from './crc32.js';

/** Where the content of an entry begins at the earliest: its own header has at least this many bytes before it. */
const localHeaderBytes = 30;

/**
 * Before anything is read, all entries are looked at: that none is encrypted or packed in a way we do not know, and
 * that no two share bytes of the archive, which is how few bytes are made to unpack to many.
 */
export const readZip: ReadArchive = async (archive, limits, visit) => {
  const { zip, entries } = await openZip(archive, limits);
  checkOverlap(archive, entries);
  for (const entry of entries) await visitEntry({ archive, zip, visit }, entry);
};

interface NamedEntry {
  readonly name: string;
  readonly entry: Entry;
}

async function openZip(archive: Archive, limits: PackageLimits) {
  try {
    // The checks of names are ours, and they need the names as they are.
    const zip = await fromFdPromise(archive.handle.fd, { decodeStrings: false });
    const entries: NamedEntry[] = [];
    checkCount(archive, zip.entryCount, limits);
    for await (const entry of zip.eachEntry()) {
      checkCount(archive, entries.length + 1, limits);
      checkListing(archive, entry);
      entry.extraFields.length = 0; // not needed, and there may be a thousand of them
      entries.push({ name: nameOf(archive, entry), entry });
    }
    return { zip, entries };
  } catch (error) {
    throw asInvalid(error, reason => invalid(archive.label, `no readable zip archive: ${reason}`));
  }
}

function checkCount({ label }: Archive, count: number, { maxEntries }: PackageLimits): void {
  if (count > maxEntries) {
    throw invalid(label, `expected at most ${maxEntries} entries, got ${count} or more`);
  }
}

/** Bytes of what stands beside the name in the directory: times, owners, a comment. */
const longestRest = 4096;

/** All entries are kept until the last one is known. */
function checkListing(archive: Archive, entry: Entry): void {
  const { fileNameRaw, fileNameLength, extraFieldLength, fileCommentLength } = entry;
  const name = fileNameRaw.toString('latin1');
  if (fileNameLength > longestName) {
    throw invalidEntry(archive, name, `expected a name of at most ${longestName} bytes`);
  }
  const rest = extraFieldLength + fileCommentLength;
  if (rest > longestRest) {
    const expected = `expected extra fields and a comment of at most ${longestRest} bytes`;
    throw invalidEntry(archive, name, `${expected}, got ${rest}`);
  }
}

function nameOf(archive: Archive, { fileNameRaw }: Entry): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(fileNameRaw);
  } catch {
    throw invalidEntry(archive, fileNameRaw.toString('latin1'), 'expected a name in UTF-8');
  }
}

function checkOverlap(archive: Archive, entries: readonly NamedEntry[]): void {
  const offset = ({ entry }: NamedEntry) => entry.relativeOffsetOfLocalHeader;
  const sorted = [...entries].sort((a, b) => offset(a) - offset(b));
  for (const [index, { name, entry }] of sorted.entries()) {
    const end =
      entry.relativeOffsetOfLocalHeader +
      localHeaderBytes +
      entry.fileNameLength +
      entry.compressedSize;
    const next = sorted[index + 1];
    if (next !== undefined && end > offset(next)) {
      throw invalidEntry(archive, name, 'expected bytes of its own, but it overlaps another entry');
    }
  }
}

interface Reading {
  readonly archive: Archive;
  readonly zip: ZipFile;
  readonly visit: Visit;
}

async function visitEntry({ archive, zip, visit }: Reading, named: NamedEntry): Promise<void> {
  const { name, entry } = named;
  if (entry.isEncrypted()) throw invalidEntry(archive, name, 'expected no encryption');
  if (!entry.canDecodeFileData()) {
    const got = `method ${entry.compressionMethod}`;
    throw invalidEntry(archive, name, `expected it stored or deflated (method 0 or 8), got ${got}`);
  }
  const sizeBytes = entry.uncompressedSize;
  await visit({ name, kind: kindOf(named), sizeBytes, read: () => contentOf(archive, zip, named) });
}

/** The content, checked against its checksum. */
async function* contentOf(archive: Archive, zip: ZipFile, { name, entry }: NamedEntry) {
  let crc = 0;
  try {
    const { fileDataStart: start } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
    const packed = chunksOf(archive.handle, start, start + entry.compressedSize);
    const content: AsyncIterable<Buffer> =
      entry.compressionMethod === 0
        ? packed
        : pipeline(packed, createInflateRaw({ chunkSize: chunkBytes }), () => {}); // errors come out of it
    for await (const chunk of content) {
      crc = crc32(chunk, crc);
      yield chunk;
    }
  } catch (error) {
    throw asInvalid(error, reason => invalidEntry(archive, name, `damaged: ${reason}`));
  }
  if (crc !== entry.crc32) {
    const [expected, got] = [entry.crc32, crc].map(value => value.toString(16).padStart(8, '0'));
    throw invalidEntry(archive, name, `damaged: expected checksum ${expected}, got ${got}`);
  }
}

/** What is wrong with a zip file yauzl says with an Error; ours go through as they are. */
function asInvalid(error: unknown, describe: (reason: string) => Error): Error {
  if (error instanceof Error && error.name === 'InferenceError') return error;
  return Object.assign(describe(reasonOf(error)), { cause: error });
}

/** The kind bits of a Unix mode, which the upper half of the attributes holds, with their meaning. */
const unixKinds: ReadonlyMap<number, string> = new Map([
  [0o010000, 'a named pipe'],
  [0o020000, 'a device'],
  [0o060000, 'a device'],
  [0o120000, 'a symbolic link'],
  [0o140000, 'a socket'],
]);

function kindOf({ name, entry }: NamedEntry): string {
  const special = unixKinds.get((entry.externalFileAttributes >>> 16) & 0o170000);
  return special ?? (name.endsWith('/') ? 'directory' : 'file');
}
