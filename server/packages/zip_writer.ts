// SPDX-License-Identifier: Apache-2.0
// Writes zip archives whose bytes depend on names and contents only: no times, no owners, nothing compressed.
import type { FileHandle } from 'node:fs/promises';
import { InferenceError } from '../../lib/index.js';
import { crc32 } from './crc32.js';

/** A file that becomes an entry. */
export interface ZipFile {
  /** Relative, with slashes. */
  readonly name: string;
  /** From the start, each time it is called. */
  readonly read: () => AsyncIterable<Uint8Array>;
}

/** What the 32 and 16 bits of the format hold without its extension for more (zip64). */
const mostBytes = 2 ** 32 - 2;
const mostEntries = 2 ** 16 - 2;

const utf8Names = 0x0800;
const firstOfJanuary1980 = 0x0021;
const unixVersion20 = 0x0314;
const plainFile = 0o100644 * 2 ** 16;

/**
 * Stores files in the order given. Weights hardly shrink, and what is compressed would depend on the version of zlib.
 * Each file is read twice: its checksum stands before its bytes, which readers that only go forward need.
 * @param target  empty, open for writing.
 * @throws        INFER_BAD_INPUT for more than fits (4 GiB, 65,534 files), or a file that changes meanwhile.
 */
export async function writeZip(target: FileHandle, files: readonly ZipFile[]): Promise<void> {
  if (files.length > mostEntries) throw tooMuch(`${mostEntries} files`, files.length);
  const directory: Buffer[] = [];
  let offset = 0;
  for (const file of files) {
    const sum = await sumOf(file);
    const fields = fieldsOf(file, sum);
    const name = Buffer.from(file.name);
    const bytes = 4 + fields.length + name.length + sum.sizeBytes;
    if (offset + bytes > mostBytes) throw tooMuch(`${mostBytes} bytes`, offset + bytes);
    await target.appendFile(Buffer.concat([Buffer.from('PK\x03\x04'), fields, name]));
    await copy(file, sum, target);
    directory.push(directoryEntry(fields, name, offset));
    offset += bytes;
  }
  const listing = Buffer.concat(directory);
  await target.appendFile(Buffer.concat([listing, endOf(files.length, listing.length, offset)]));
}

function tooMuch(expected: string, got: number): InferenceError {
  return new InferenceError('INFER_BAD_INPUT', `archive: expected at most ${expected}, got ${got}`);
}

interface Sum {
  readonly crc: number;
  readonly sizeBytes: number;
}

async function sumOf({ read }: ZipFile): Promise<Sum> {
  let crc = 0;
  let sizeBytes = 0;
  for await (const chunk of read()) {
    crc = crc32(chunk, crc);
    sizeBytes += chunk.length;
  }
  return { crc, sizeBytes };
}

async function copy(file: ZipFile, expected: Sum, target: FileHandle): Promise<void> {
  const { crc, sizeBytes } = await sumOf({
    ...file,
    read: async function* () {
      for await (const chunk of file.read()) {
        await target.appendFile(chunk);
        yield chunk;
      }
    },
  });
  if (crc === expected.crc && sizeBytes === expected.sizeBytes) return;
  const message = `${file.name}: expected a file that stays as it is, but it changed while it was read`;
  throw new InferenceError('INFER_BAD_INPUT', message);
}

/** What stands before the name in a local header and in the directory alike. */
function fieldsOf({ name }: ZipFile, { crc, sizeBytes }: Sum): Buffer {
  const fields = Buffer.alloc(26);
  fields.writeUInt16LE(20, 0);
  fields.writeUInt16LE(utf8Names, 2);
  fields.writeUInt16LE(firstOfJanuary1980, 8);
  fields.writeUInt32LE(crc, 10);
  fields.writeUInt32LE(sizeBytes, 14);
  fields.writeUInt32LE(sizeBytes, 18);
  fields.writeUInt16LE(Buffer.byteLength(name), 22);
  return fields;
}

function directoryEntry(fields: Buffer, name: Buffer, offset: number): Buffer {
  const head = Buffer.from('PK\x01\x02\0\0', 'latin1');
  head.writeUInt16LE(unixVersion20, 4);
  const tail = Buffer.alloc(14);
  tail.writeUInt32LE(plainFile, 6);
  tail.writeUInt32LE(offset, 10);
  return Buffer.concat([head, fields, tail, name]);
}

function endOf(count: number, sizeBytes: number, offset: number): Buffer {
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(sizeBytes, 12);
  end.writeUInt32LE(offset, 16);
  return end;
}
