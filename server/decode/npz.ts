// SPDX-License-Identifier: Apache-2.0
// The bytes of an NPZ file, a zip archive of NPY files -> its arrays by name.
import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import { type Entry, fromBufferPromise, type ZipFile } from 'yauzl';
import { crc32 } from '../packages/crc32.js';
import { badInput, quote } from './describe.js';
import { type NpyArray, readNpy } from './npy.js';

/** More than any model has inputs that come as files. */
const mostEntries = 100;

/**
 * @param file      the archive; arrays that are stored in it as they are may be views of it.
 * @param maxBytes  of all arrays together, looked at before anything is unpacked.
 * @throws          INFER_BAD_INPUT for what is no whole archive of arrays, naming the entry.
 */
export async function readNpz(file: Buffer, maxBytes: number): Promise<Map<string, NpyArray>> {
  const { zip, entries } = await list(file);
  const total = [...entries.values()].reduce((sum, entry) => sum + entry.uncompressedSize, 0);
  if (total > maxBytes) {
    throw badInput(
      'body',
      `an NPZ file of at most ${maxBytes} bytes (maxRequestBytes)`,
      `${total}`,
    );
  }
  const arrays = new Map<string, NpyArray>();
  for (const [name, entry] of entries) {
    const where = `entry ${quote(`${name}.npy`)}`;
    arrays.set(name, readNpy(await contentOf(file, zip, { entry, where }), where));
  }
  return arrays;
}

async function list(file: Buffer): Promise<{ zip: ZipFile; entries: Map<string, Entry> }> {
  const entries = new Map<string, Entry>();
  let zip: ZipFile;
  try {
    zip = await fromBufferPromise(file, { decodeStrings: true });
    for await (const entry of zip.eachEntry()) {
      const name = entry.fileName.replace(/\.npy$/, '');
      if (name === entry.fileName) {
        throw badInput('body', 'entries that end in .npy', quote(entry.fileName));
      }
      if (entries.has(name)) throw badInput('body', 'each array once', quote(name));
      if (entries.size === mostEntries)
        throw badInput('body', `at most ${mostEntries} arrays`, 'more');
      entries.set(name, entry);
    }
  } catch (error) {
    throw asBadInput(error, 'body', 'an NPZ file');
  }
  return { zip, entries };
}

/** What is wrong with an archive yauzl says with an Error; ours go through as they are. */
function asBadInput(error: unknown, where: string, expected: string): Error {
  if (error instanceof Error && error.name === 'InferenceError') return error;
  return badInput(where, expected, error instanceof Error ? error.message : String(error));
}

const inflate = promisify(inflateRaw);

interface Member {
  readonly entry: Entry;
  readonly where: string;
}

async function contentOf(file: Buffer, zip: ZipFile, { entry, where }: Member): Promise<Buffer> {
  const { compressionMethod: method, compressedSize, uncompressedSize } = entry;
  if (entry.isEncrypted()) throw badInput(where, 'no encryption', 'an encrypted entry');
  if (method !== 0 && method !== 8) {
    throw badInput(where, 'it stored or deflated (method 0 or 8)', `method ${method}`);
  }
  let content: Buffer;
  try {
    const { fileDataStart: start } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
    const packed = file.subarray(start, start + compressedSize);
    // One byte more would be one too many; without the limit a few bytes could become gigabytes.
    const limit = { maxOutputLength: Math.max(1, uncompressedSize) };
    content = method === 0 ? packed : await inflate(packed, limit);
  } catch (error) {
    throw asBadInput(error, where, 'undamaged bytes');
  }
  if (content.length !== uncompressedSize || crc32(content) !== entry.crc32) {
    throw badInput(where, 'undamaged bytes', 'others than its size and checksum say');
  }
  return content;
}
