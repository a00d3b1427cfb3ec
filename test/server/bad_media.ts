// SPDX-License-Identifier: Apache-2.0
// Bad images and forms: damaged, oversized, foreign.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import type { BadRequest } from './bad_requests.js';
import { digits, type FormBody, formOf } from './helpers.js';

/** A PNG that says how large it is and holds next to nothing. */
function emptyPng(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const named = Buffer.concat([Buffer.from(type), data]);
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(data.length, 0);
    frame.writeUInt32BE(crc32(named), 4);
    return Buffer.concat([frame.subarray(0, 4), named, frame.subarray(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 0, 0, 0, 0], 8); // eight bits, grey
  const start = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  const parts = [
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(64))),
    chunk('IEND', Buffer.alloc(0)),
  ];
  return Buffer.concat([start, ...parts]);
}

const png = readFileSync(join(digits, 'samples', '7.png'));
const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
const noisy = { width: 256, height: 256, channels: 3, background: 'red', noise } as const;
const jpeg = await sharp({ create: noisy }).jpeg().toBuffer();
const svg = Buffer.from(
  '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64"><rect width="9" height="9"/></svg>',
);
const form = formOf('data', png);
const kinds = /: expected a JPEG, PNG, WebP, GIF, AVIF or TIFF image, got /;
const cut = { ...form, bytes: form.bytes.subarray(0, form.bytes.length - 60) };

const path = '/predictions/digits';

function image(name: string, body: Buffer, says: RegExp, type = 'image/png'): BadRequest {
  return { name, path, type, body, says };
}

function inForm(name: string, body: FormBody, says: RegExp): BadRequest {
  return { name, path, body, says };
}

/** Damaged, oversized and foreign images, and broken forms around them. */
export const media: readonly BadRequest[] = [
  image(
    'a JPEG cut in half',
    jpeg.subarray(0, jpeg.length / 2),
    /^image: expected a whole, undamaged image, got VipsJpeg/,
    'image/jpeg',
  ),
  image(
    'a PNG cut in half',
    png.subarray(0, png.length / 2),
    /^image: expected a whole, undamaged image, got /,
  ),
  image(
    'a PNG of 30000x30000',
    emptyPng(30000, 30000),
    /^image: expected an image of at most 40000000 pixels .*, got 30000x30000$/,
  ),
  image(
    'a PNG without pixels',
    emptyPng(64, 64),
    /^image: expected a whole, undamaged image, got /,
  ),
  image('an SVG', svg, kinds, 'image/svg+xml'),
  image('an SVG that says it is a PNG', svg, kinds),
  image('an image of no bytes', Buffer.alloc(0), /^image: expected a JPEG.*, got no bytes$/),
  image('noise as octet-stream', Buffer.alloc(5000, 'x'), kinds, 'application/octet-stream'),
  image(
    'a lying JPEG start',
    Buffer.from('\xff\xd8\xff\xe0 and then text', 'latin1'),
    /^image: expected a whole/,
    'image/jpeg',
  ),
  image(
    'no boundary',
    form.bytes,
    /^body: expected a complete multipart\/form-data body, got /,
    'multipart/form-data',
  ),
  inForm('a form cut short', cut, /^body: expected a complete multipart\/form-data body, got /),
  inForm(
    'a form without its end',
    { ...form, bytes: form.bytes.subarray(0, 40) },
    /^body: expected a complete multipart/,
  ),
  inForm(
    'a form with another name',
    formOf('file', png),
    /^body: expected a field named one of "image", "body", "data", got the fields "file"$/,
  ),
  inForm(
    'a form with an empty file',
    formOf('data', Buffer.alloc(0)),
    /^image: expected a JPEG.*, got no bytes$/,
  ),
  inForm(
    'a form whose part has no name',
    {
      boundary: 'X',
      bytes: Buffer.from(
        '--X\r\nContent-Disposition: form-data; filename="x"\r\n\r\nhi\r\n--X--\r\n',
      ),
    },
    /^body: expected a name for each part, got a part without one$/,
  ),
  inForm(
    'a form of 20,000 parts',
    {
      boundary: 'X',
      bytes: Buffer.from(
        `${'--X\r\nContent-Disposition: form-data; name="x"\r\n\r\nhi\r\n'.repeat(20_000)}--X--\r\n`,
      ),
    },
    /^body: expected a complete multipart\/form-data body, got more than 100 parts$/,
  ),
  inForm('a form with text', formOf('data', Buffer.from('seven')), kinds),
  {
    ...inForm(
      'a form with a video',
      formOf('data', png, 'video/mp4'),
      /^field "data": expected .*, got "video\/mp4"$/,
    ),
    status: 415,
  },
];
