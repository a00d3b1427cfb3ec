// SPDX-License-Identifier: Apache-2.0
// The checksum of zip entries. node:zlib has it from Node 20.15 on only.

/** @source ISO 3309, as zip uses it: polynomial 0xEDB88320 with the bits reversed. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? 0xedb88320 : 0);
  return value;
});

/**
 * @param bytes  what follows.
 * @param crc    checksum of what came before; 0 at the start.
 * @returns      checksum of both together, from 0 to 2^32 - 1.
 */
export function crc32(bytes: Uint8Array, crc = 0): number {
  let value = ~crc;
  for (const byte of bytes) value = (value >>> 8) ^ (table[(value ^ byte) & 255] ?? 0);
  return ~value >>> 0;
}
