// SPDX-License-Identifier: Apache-2.0
// NPY and zip files made byte by byte, so that they can be wrong.
import { crc32, deflateRawSync } from 'node:zlib';

/** The dictionary that NumPy writes. */
export function npyHeaderText(descr: string, shape: string): string {
  return `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`;
}

/** Magic, version and header, padded like NumPy's. */
export function npyHeader(dictionary: string, major = 1): Buffer {
  const wide = major > 1;
  const before = wide ? 12 : 10;
  const padding = (64 - ((before + dictionary.length + 1) % 64)) % 64;
  const text = Buffer.from(`${dictionary}${' '.repeat(padding)}\n`, 'latin1');
  const length = Buffer.alloc(wide ? 4 : 2);
  if (wide) length.writeUInt32LE(text.length);
  else length.writeUInt16LE(text.length);
  const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), major, 0]);
  return Buffer.concat([start, length, text]);
}

export function npyFile(dictionary: string, elements: Buffer, major = 1): Buffer {
  return Buffer.concat([npyHeader(dictionary, major), elements]);
}

export interface ZipEntry {
  readonly name: string;
  readonly content: Buffer;
  readonly deflated?: boolean;
  /** The size that it says it unpacks to; the right one unless given. */
  readonly claims?: number;
}

/** @source PKWARE's APPNOTE.TXT. */
export function zipFile(entries: readonly ZipEntry[]): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content, deflated = false, claims = content.length } of entries) {
    const packed = deflated ? deflateRawSync(content) : content;
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt16LE(deflated ? 8 : 0, 4);
    fields.writeUInt32LE(crc32(content), 10);
    fields.writeUInt32LE(packed.length, 14);
    fields.writeUInt32LE(claims, 18);
    fields.writeUInt16LE(name.length, 22);
    const file = Buffer.concat([Buffer.from('PK\x03\x04'), fields, Buffer.from(name), packed]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(offset, 10);
    directory.push(Buffer.from('PK\x01\x02\x14\0'), fields, rest, Buffer.from(name));
    files.push(file);
    offset += file.length;
  }
  const listing = Buffer.concat(directory);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(listing.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...files, listing, Buffer.from('PK\x05\x06'), end]);
}
