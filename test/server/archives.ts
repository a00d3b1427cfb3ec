// SPDX-License-Identifier: Apache-2.0
// Makes zip and tar archives byte by byte, so that tests can also make those that no program would.
import { deflateRawSync, gzipSync } from 'node:zlib';
import { crc32 } from '../../server/packages/crc32.js';

/** One entry; what is left out is as it should be. */
export interface ZipEntry {
  readonly name: string | Buffer;
  readonly data?: string | Buffer;
  readonly stored?: boolean;
  /** Unix mode with its kind bits. */
  readonly mode?: number;
  readonly flags?: number;
  readonly method?: number;
  readonly crc?: number;
  /** Announced size when unpacked. */
  readonly size?: number;
  /** Shares the bytes of the entry with this index. */
  readonly sharedWith?: number;
  /** Both in the directory at the end only. */
  readonly extra?: Buffer;
  readonly comment?: string;
}

const utf8 = 0x800;

/** A zip archive. @param count  announced number of entries. */
export function zipOf(entries: readonly ZipEntry[], count = entries.length): Buffer {
  const parts: Buffer[] = [];
  const headers: Buffer[] = [];
  const offsets: number[] = [];
  let offset = 0;
  for (const entry of entries) {
    const name = Buffer.from(entry.name);
    const data = Buffer.from(entry.data ?? '');
    const packed = entry.stored ? data : deflateRawSync(data);
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(entry.flags ?? utf8, 2);
    fields.writeUInt16LE(entry.method ?? (entry.stored ? 0 : 8), 4);
    fields.writeUInt32LE(entry.crc ?? crc32(data), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(entry.size ?? data.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const at = entry.sharedWith === undefined ? offset : (offsets[entry.sharedWith] ?? 0);
    offsets.push(at);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(((entry.mode ?? 0o100644) << 16) >>> 0, 6);
    tail.writeUInt32LE(at, 10);
    const madeBy = Buffer.from([20, 3]); // Unix
    const { extra = Buffer.alloc(0), comment = '' } = entry;
    const listed = Buffer.from(fields);
    listed.writeUInt16LE(extra.length, 24);
    tail.writeUInt16LE(comment.length, 0);
    headers.push(
      Buffer.from('PK\x01\x02'),
      madeBy,
      listed,
      tail,
      name,
      extra,
      Buffer.from(comment),
    );
    if (entry.sharedWith !== undefined) continue;
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), fields, name, packed]);
    parts.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(headers);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06');
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, directory, end]);
}

/** A zip archive of files. */
export function zipFiles(files: Readonly<Record<string, string | Buffer>>): Buffer {
  return zipOf(Object.entries(files).map(([name, data]) => ({ name, data })));
}

export interface TarEntry {
  readonly name: string;
  readonly data?: string | Buffer;
  /** As in the header: `0` a file, `1` a hard link, `2` a symbolic link, `3` a device, `5` a directory. */
  readonly type?: string;
  readonly link?: string;
  readonly size?: number;
  readonly checksum?: number;
}

const block = 512;

/** A tar archive in the ustar format. */
export function tarOf(entries: readonly TarEntry[]): Buffer {
  const parts = entries.flatMap(({ name, data = '', type = '0', link = '', size, checksum }) => {
    const bytes = Buffer.from(data);
    const header = Buffer.alloc(block);
    const octal = (value: number, length: number) => value.toString(8).padStart(length, '0');
    header.write(name, 0, 100);
    header.write(`${octal(0o644, 7)}\0${octal(0, 7)}\0${octal(0, 7)}\0`, 100);
    header.write(`${octal(size ?? bytes.length, 11)}\0${octal(0, 11)}\0`, 124);
    header.write('        ', 148);
    header.write(type, 156);
    header.write(link, 157, 100);
    header.write('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${octal(checksum ?? sum, 6)}\0 `, 148);
    const rest = (block - (bytes.length % block)) % block;
    return [header, bytes, Buffer.alloc(rest)];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

/** A gzipped tar archive. */
export function tarGzOf(entries: readonly TarEntry[]): Buffer {
  return gzipSync(tarOf(entries));
}
