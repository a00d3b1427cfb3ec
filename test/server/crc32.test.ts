// SPDX-License-Identifier: Apache-2.0
// The checksum of zip, with and without the one of zlib.
import t from 'tap';
import { crc32, crc32ByTable } from '../../server/packages/crc32.js';

/** @source the check value of CRC-32/ISO-HDLC in the catalogue of parametrised CRC algorithms. */
const check = { bytes: Buffer.from('123456789'), crc: 0xcbf43926 };

for (const sum of [crc32, crc32ByTable]) {
  t.test(`${sum.name} gives the check value, at once and in parts`, async t => {
    t.equal(sum(check.bytes), check.crc);
    t.equal(sum(check.bytes.subarray(4), sum(check.bytes.subarray(0, 4))), check.crc);
    t.equal(sum(Buffer.alloc(0)), 0);
  });
}
