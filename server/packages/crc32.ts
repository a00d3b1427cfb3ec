// SPDX-License-Identifier: Apache-2.0
// The checksum of zip entries.
import zlib from 'node:zlib';

/** @source ISO 3309, as zip uses it: polynomial 0xEDB88320 with the bits reversed. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  return value;
});

/** crc32() for Node before 20.15, whose zlib does not offer it; some ten times as slow. */
export function crc32ByTable(bytes: Uint8Array, crc = 0): number {
  let value = ~crc;
  for (const byte of bytes) value = (value >>> 8) ^ (table[(value ^ byte) & 255] ?? 0);
  return ~value >>> 0;
}

const ofZlib: typeof zlib.crc32 | undefined = zlib.crc32;

/**
 * @param bytes  what follows.
 * @param crc    checksum of what came before; 0 at the start.
 * @returns      checksum of both together, from 0 to 2^32 - 1.
 */
export const crc32: (bytes: Uint8Array, crc?: number) => number = ofZlib ?? crc32ByTable;
