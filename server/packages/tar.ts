// SPDX-License-Identifier: Apache-2.0
// Reads gzipped tar archives (.tar.gz, .tgz) as a stream: one entry after another, unpacked off the event loop.
import { once } from 'node:events';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Parser, type ReadEntry } from 'tar';
import {
  type Archive,
  allowance,
  chunkBytes,
  chunksOf,
  invalid,
  invalidEntry,
  type PackageLimits,
  type ReadArchive,
  reasonOf,
  type Visit,
} from './archive.js';

/** Header and padding of an entry. */
const entryOverheadBytes = 1024;

export const readTar: ReadArchive = async (archive, limits, visit) => {
  const stop = new AbortController();
  const parser = new Parser({ strict: true, brotli: false, zstd: false });
  const visits = visitAll(parser, { archive, visit, stop });
  let atEnd = false;
  parser.on('eof', () => {
    atEnd = true;
  });
  try {
    for await (const chunk of inflate(archive, limits)) {
      stop.signal.throwIfAborted();
      // What comes behind its end is only counted: the parser would keep all of it.
      if (!atEnd && !parser.write(chunk)) await once(parser, 'drain', stop);
    }
    const ended = once(parser, 'end', stop);
    parser.end();
    await ended;
    await visits.last();
  } catch (error) {
    const reason = stop.signal.aborted ? stop.signal.reason : error;
    visits.abandon();
    await visits.last().catch(() => {}); // its file is closed by then
    throw reason;
  }
};

interface Reading {
  readonly archive: Archive;
  readonly visit: Visit;
  /** Aborted with the first error. */
  readonly stop: AbortController;
}

/** Visits what the parser finds; it gives out one entry at a time. */
function visitAll(parser: Parser, { archive, visit, stop }: Reading) {
  let current: ReadEntry | undefined;
  let last = Promise.resolve();
  const fail = (error: unknown) => stop.abort(error);
  parser.on('entry', (entry: ReadEntry) => {
    current = entry;
    last = last.then(() => visitEntry(entry, visit));
    last.catch(fail);
  });
  parser.on('ignoredEntry', ({ path, type, size }: ReadEntry) => {
    fail(invalidEntry(archive, path, `expected a file or directory, got ${type}, ${size} bytes`));
  });
  parser.on('error', (error: Error) => {
    fail(invalid(archive.label, `no readable tar archive: ${error.message}`, error));
  });
  return {
    /** Settles when all visits so far have ended. */
    last: () => last,
    /** Ends a visit that waits for content which will not come. */
    abandon: () => current?.destroy(),
  };
}

const kinds: Readonly<Record<string, string>> = {
  File: 'file',
  OldFile: 'file',
  ContiguousFile: 'file',
  Directory: 'directory',
  SymbolicLink: 'a symbolic link',
  Link: 'a hard link',
  CharacterDevice: 'a device',
  BlockDevice: 'a device',
  FIFO: 'a named pipe',
};

async function visitEntry(entry: ReadEntry, visit: Visit): Promise<void> {
  const { path: name, type, size: sizeBytes = 0 } = entry;
  await visit({ name, kind: kinds[type] ?? type, sizeBytes, read: () => entry });
  entry.resume(); // what the visit did not read
}

/** The tar archive in the gzip file, up to the most that may come out of it. */
async function* inflate(archive: Archive, limits: PackageLimits): AsyncGenerator<Buffer> {
  const { bytes, rule } = allowance(archive, limits);
  const mostBytes = bytes + limits.maxEntries * entryOverheadBytes;
  const inflated = pipeline(
    chunksOf(archive.handle),
    createGunzip({ chunkSize: chunkBytes }),
    () => {}, // errors come out of it
  );
  let inflatedBytes = 0;
  try {
    for await (const chunk of inflated as AsyncIterable<Buffer>) {
      if (inflatedBytes === 0) checkStart(archive, chunk);
      inflatedBytes += chunk.length;
      if (inflatedBytes > mostBytes) {
        throw invalid(archive.label, `unpacks to more than the ${bytes} bytes allowed (${rule})`);
      }
      yield chunk;
    }
  } catch (error) {
    if (!isZlibError(error)) throw error;
    throw invalid(archive.label, `no readable gzip file: ${reasonOf(error)}`, error);
  }
}

function isZlibError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
}

/**
 * The parser would unpack a gzip file within the gzip file as well, and nobody would count its bytes. A tar archive begins
 * with a name, and none of ours with a control character, so that one byte tells: there may be no more in the first chunk.
 */
function checkStart({ label }: Archive, chunk: Buffer): void {
  if (chunk[0] === 0x1f) {
    throw invalid(label, 'expected a tar archive in the gzip file, got another gzip file');
  }
}
