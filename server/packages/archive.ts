// SPDX-License-Identifier: Apache-2.0
// What the readers of archives share: the open file, its entries, the limits, and the wording of refusals.
import type { FileHandle } from 'node:fs/promises';
import { InferenceError } from '../../lib/index.js';

/** An archive that is open for reading. */
export interface Archive {
  /** As messages call it. */
  readonly label: string;
  readonly handle: FileHandle;
  readonly sizeBytes: number;
}

/** How much an archive may hold. */
export interface PackageLimits {
  /** All its files together, unpacked. */
  readonly maxBytes: number;
  readonly maxEntries: number;
  /** Unpacked bytes for each byte of the archive; the first MiB is free. */
  readonly maxRatio: number;
}

/** One entry of an archive, as the archive itself tells it: nothing of it was checked. */
export interface ArchiveEntry {
  readonly name: string;
  /** `file`, `directory`, or in words what else it is. */
  readonly kind: string;
  readonly sizeBytes: number;
  /** The content, to be read before the visit ends. Fails where the archive is damaged. */
  readonly read: () => AsyncIterable<Uint8Array>;
}

/** Takes the entries one after another. */
export type Visit = (entry: ArchiveEntry) => Promise<void>;

/** Reads one kind of archive. @throws  INFER_MODEL_INVALID, and whatever `visit` throws. */
export type ReadArchive = (archive: Archive, limits: PackageLimits, visit: Visit) => Promise<void>;

/** Large enough that what a chunk costs does not count. */
export const chunkBytes = 2 ** 18;

/** The bytes of a file from `start` up to `end`; unlike a stream, this leaves it open whatever happens. */
export async function* chunksOf(
  file: FileHandle,
  start = 0,
  end = Number.POSITIVE_INFINITY,
): AsyncGenerator<Buffer> {
  for (let position = start; position < end; ) {
    const buffer = Buffer.allocUnsafe(chunkBytes);
    const most = Math.min(chunkBytes, end - position);
    const { bytesRead } = await file.read(buffer, 0, most, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

const freeBytes = 2 ** 20;

/** The most that an archive of this size may unpack to, and the rule that says so. */
export function allowance({ sizeBytes }: Archive, { maxBytes, maxRatio }: PackageLimits) {
  const byRatio = freeBytes + maxRatio * sizeBytes;
  return byRatio < maxBytes
    ? { bytes: byRatio, rule: `${maxRatio} times the size of the archive` }
    : { bytes: maxBytes, rule: 'maxPackageBytes' };
}

/** Bytes that the name of an entry may have. */
export const longestName = 1024;

const longestShown = 80;

/** A name in double quotes, control characters escaped, cut when it is long. */
export function quoted(name: string): string {
  const shown = name.length > longestShown ? `${name.slice(0, longestShown)}...` : name;
  return JSON.stringify(shown);
}

/** @param what  which part of the archive or package, what was expected there and what came. */
export function invalid(label: string, what: string, cause?: unknown): InferenceError {
  const extra = cause === undefined ? {} : { cause };
  return new InferenceError('INFER_MODEL_INVALID', `${label}: ${what}`, extra);
}

export function invalidEntry({ label }: Archive, name: string, what: string, cause?: unknown) {
  return invalid(label, `entry ${quoted(name)}: ${what}`, cause);
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
