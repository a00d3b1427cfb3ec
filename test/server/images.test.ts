// SPDX-License-Identifier: Apache-2.0
// Image bytes to tensors: exact values, layouts, resize rules, formats.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import t from 'tap';
import type { ImageSpec, TensorSpec } from '../../lib/index.js';
import { scoresName } from '../../server/classes.js';
import { scaleByArea } from '../../server/decode/area.js';
import { createImageDecoder } from '../../server/decode/image.js';
import { root } from '../helpers.js';

// Made before the decoder closes sharp's other doors for this process.
const grey = Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7) % 256));
const greyPng = await sharp(grey, { raw: { width: 64, height: 64, channels: 1 } })
  .png()
  .toBuffer();
/** 4 wide, 2 high: red, green, blue, white; black, grey, yellow, cyan. */
const colours = [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
  [255, 255, 255],
  [0, 0, 0],
  [128, 128, 128],
  [255, 255, 0],
  [0, 255, 255],
];
const colourRaw = { raw: { width: 4, height: 2, channels: 3 } } as const;
const colourImage = sharp(Buffer.from(colours.flat()), colourRaw);
const decode = createImageDecoder(40_000_000);

const plain: ImageSpec = {
  size: [4, 2],
  resize: 'stretch',
  shorter: 4,
  filter: 'lanczos',
  layout: 'NCHW',
  colour: 'rgb',
  scale: 1,
  mean: [0, 0, 0],
  std: [1, 1, 1],
};

async function valuesOf(bytes: Buffer, image: Partial<ImageSpec>, rank = 4) {
  const full = { ...plain, ...image };
  const shape = new Array<number>(rank).fill(-1);
  const spec: TensorSpec = { name: 'image', type: 'float32', shape };
  const { shape: made, data } = await decode(bytes, { spec, image: full, where: 'image' });
  return { shape: made, values: [...data].map(Number) };
}

t.test('an image of the right size passes through bit for bit', async t => {
  const scale = 0.00392156862745098;
  const one = { size: [64, 64], colour: 'gray', mean: [0], std: [1], scale } as const;
  const { shape, values } = await valuesOf(greyPng, one);
  t.same(shape, [1, 1, 64, 64]);
  t.same(
    values,
    [...grey].map(pixel => Math.fround(pixel * Math.fround(scale))),
    'v8 * float32(1/255) in float32',
  );
});

t.test('mean and std come after scale, each step in float32', async t => {
  const { fround } = Math;
  const scale = fround(1 / 255);
  const [mean, std] = [
    [0.485, 0.456, 0.406],
    [0.229, 0.224, 0.225],
  ];
  const { values } = await valuesOf(await colourImage.clone().png().toBuffer(), {
    scale,
    mean,
    std,
  });
  const expected = [0, 1, 2].flatMap(channel =>
    colours.map(pixel => {
      const scaled = fround((pixel[channel] ?? 0) * scale);
      return fround(fround(scaled - fround(mean[channel] ?? 0)) / fround(std[channel] ?? 1));
    }),
  );
  t.same(values, expected);
});

t.test('layout and colour order', async t => {
  const png = await colourImage.clone().png().toBuffer();
  const planes = [0, 1, 2].map(channel => colours.map(pixel => pixel[channel] ?? 0));
  t.same((await valuesOf(png, {})).values, planes.flat());
  t.same((await valuesOf(png, { colour: 'bgr' })).values, [...planes].reverse().flat());
  const nhwc = await valuesOf(png, { layout: 'NHWC' });
  t.same(nhwc.shape, [1, 2, 4, 3]);
  t.same(nhwc.values, colours.flat());
  t.same(
    (await valuesOf(png, { layout: 'NHWC', colour: 'bgr' })).values,
    colours.flatMap(pixel => [...pixel].reverse()),
  );
  t.same((await valuesOf(png, {}, 3)).shape, [3, 2, 4], 'an input of three axes has no batch axis');
});

const lossless = [
  { name: 'PNG', encode: (image: Sharp) => image.png() },
  { name: 'WebP', encode: (image: Sharp) => image.webp({ lossless: true }) },
  { name: 'TIFF', encode: (image: Sharp) => image.tiff({ compression: 'lzw' }) },
  { name: 'GIF', encode: (image: Sharp) => image.gif({ colours: 256, dither: 0 }) },
] as const;

for (const { name, encode } of lossless) {
  t.test(`${name} is decoded`, async t => {
    const bytes = await encode(colourImage.clone()).toBuffer();
    const planes = [0, 1, 2].flatMap(channel => colours.map(pixel => pixel[channel] ?? 0));
    t.same((await valuesOf(bytes, {})).values, planes);
  });
}

const lossy = [
  {
    name: 'JPEG',
    encode: (image: Sharp) => image.jpeg({ quality: 100, chromaSubsampling: '4:4:4' }),
  },
  {
    name: 'AVIF',
    encode: (image: Sharp) => image.avif({ quality: 100, chromaSubsampling: '4:4:4' }),
  },
] as const;

for (const { name, encode } of lossy) {
  t.test(`${name} is decoded`, async t => {
    const flat = sharp({
      create: { width: 16, height: 16, channels: 3, background: { r: 200, g: 100, b: 50 } },
    });
    const { values } = await valuesOf(await encode(flat).toBuffer(), { size: [1, 1] });
    [200, 100, 50].forEach((expected, channel) => {
      t.ok(Math.abs((values[channel] ?? 0) - expected) <= 3, `${values[channel]} for ${expected}`);
    });
  });
}

t.test('transparency lies on black', async t => {
  const pixels = Buffer.from([
    255, 255, 255, 255, 255, 255, 255, 0, 100, 100, 100, 128, 0, 0, 0, 255,
  ]);
  const bytes = await sharp(pixels, { raw: { width: 4, height: 1, channels: 4 } })
    .png()
    .toBuffer();
  const { values } = await valuesOf(bytes, { size: [4, 1], colour: 'gray', mean: [0], std: [1] });
  t.same(values, [255, 0, 50, 0]);
});

t.test('the orientation in EXIF is applied', async t => {
  const upright = await colourImage.clone().png().toBuffer();
  const turned = await sharp(upright).rotate(270).withMetadata({ orientation: 6 }).png().toBuffer();
  t.same((await valuesOf(turned, {})).values, (await valuesOf(upright, {})).values);
});

t.test('of an animation the first frame counts', async t => {
  const frames = Buffer.concat([Buffer.alloc(3 * 64, 255), Buffer.alloc(3 * 64, 0)]);
  const gif = await sharp(frames, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } })
    .gif()
    .toBuffer();
  const { values } = await valuesOf(gif, { size: [1, 1] });
  t.same(values, [255, 255, 255]);
});

/** 8 wide, 4 high: left half black, right half white, grey columns at both ends. */
const stripes = Buffer.from([0, 1, 2, 3].flatMap(() => [100, 0, 0, 0, 255, 255, 255, 100]));
const stripesPng = await sharp(stripes, { raw: { width: 8, height: 4, channels: 1 } })
  .png()
  .toBuffer();
const resizes = [
  { resize: 'cover', size: [4, 4], shorter: 4, row: [0, 0, 255, 255] },
  { resize: 'shorter', size: [4, 4], shorter: 4, row: [0, 0, 255, 255] },
  { resize: 'shorter', size: [2, 2], shorter: 4, row: [0, 255] },
  { resize: 'contain', size: [8, 8], shorter: 8, row: [0, 0, 0, 0, 0, 0, 0, 0] },
] as const;

for (const { row, ...rule } of resizes) {
  t.test(`${rule.resize} to ${rule.size.join('x')}, shorter side ${rule.shorter}`, async t => {
    const { values, shape } = await valuesOf(stripesPng, {
      ...rule,
      colour: 'gray',
      mean: [0],
      std: [1],
    });
    t.same(shape, [1, 1, rule.size[1], rule.size[0]]);
    t.same(values.slice(0, row.length), row);
  });
}

/** 3 wide, 3 high; and a white pixel in a row of black ones. */
const ramp = [30, 60, 90, 60, 90, 120, 90, 120, 150];
const spot = [0, 0, 0, 200, 0, 0, 0, 0];
/** @source  by hand: areas by their overlaps; a triangle of twice the step, as Pillow has it. */
const filters = [
  { filter: 'area', pixels: ramp, width: 3, rule: { size: [2, 2] }, expected: [50, 90, 90, 130] },
  { filter: 'area', pixels: ramp, width: 3, rule: { size: [3, 1] }, expected: [60, 90, 120] },
  { filter: 'area', pixels: ramp, width: 3, rule: { size: [1, 1] }, expected: [90] },
  {
    filter: 'area',
    pixels: ramp,
    width: 3,
    rule: { size: [2, 2], resize: 'shorter', shorter: 3 },
    expected: [30, 60, 60, 90],
  },
  {
    filter: 'area',
    pixels: spot,
    width: 4,
    rule: { size: [2, 4], resize: 'contain' },
    expected: [0, 0, 0, 50, 0, 0, 0, 0],
  },
  { filter: 'area', pixels: spot, width: 8, rule: { size: [4, 1] }, expected: [0, 100, 0, 0] },
  { filter: 'bilinear', pixels: spot, width: 8, rule: { size: [4, 1] }, expected: [0, 75, 25, 0] },
] as const;

for (const { filter, pixels, width, rule, expected } of filters) {
  t.test(`${filter} of ${width} wide to ${rule.size.join('x')}`, async t => {
    const raw = { width, height: pixels.length / width, channels: 1 } as const;
    const png = await sharp(Buffer.from(pixels), { raw }).png().toBuffer();
    const gray = { colour: 'gray', mean: [0], std: [1] } as const;
    t.same((await valuesOf(png, { filter, ...gray, ...rule })).values, expected);
  });
}

t.test('the event loop goes on while areas are averaged', async t => {
  const [width, height] = [1000, 600];
  const from = { width, height, pixels: Buffer.alloc(width * height, 7) };
  let turns = 0;
  const count = () => {
    turns++;
    counting = setImmediate(count);
  };
  let counting = setImmediate(count);
  const size = { width: 1, height: 1 };
  const scaled = await scaleByArea(from, { scaled: size, size, channels: 1 });
  clearImmediate(counting);
  t.same([...scaled], [7]);
  t.ok(turns > 0, `${turns} turns`);
});

t.test('an image stretched to one pixel is its mean', async t => {
  const { values } = await valuesOf(stripesPng, {
    size: [1, 1],
    colour: 'gray',
    mean: [0],
    std: [1],
  });
  t.ok(Math.abs((values[0] ?? 0) - 120) < 25, String(values[0]));
});

const strips = [
  {
    resize: 'shorter',
    width: 16_000,
    message: /less of a strip, for resize "shorter", got 16000x1$/,
  },
  { resize: 'cover', width: 16_000, message: /less of a strip, for resize "cover", got 16000x1$/ },
  { resize: 'stretch', width: 70_000, message: /at most 65535 pixels a side, got 70000x1$/ },
] as const;

for (const { resize, width, message } of strips) {
  t.test(`a strip of ${width} pixels is refused for ${resize}`, async t => {
    const strip = { create: { width, height: 1, channels: 3, background: 'red' } } as const;
    const bytes = await sharp(strip).png().toBuffer();
    const image = { size: [256, 256], resize, shorter: 256 } as const;
    await t.rejects(valuesOf(bytes, image), { code: 'INFER_BAD_INPUT', message });
  });
}

t.test('the scores are the output that model.json describes, else the first', async t => {
  const [a, b] = ['a', 'b'].map(name => ({ name, type: 'float32', shape: [-1, 2] }) as const);
  const signature = { inputs: [], outputs: a && b ? [a, b] : [] };
  t.equal(scoresName({ signature }), 'a');
  t.equal(scoresName({ signature, postprocess: { b: { topK: 1, softmax: false } } }), 'b');
});

t.test('pixels are limited before they are decoded', async t => {
  const tight = createImageDecoder(4095);
  const spec: TensorSpec = { name: 'image', type: 'float32', shape: [-1, 3, 2, 4] };
  await t.rejects(tight(greyPng, { spec, image: plain, where: 'image' }), {
    code: 'INFER_BAD_INPUT',
    message: 'image: expected an image of at most 4095 pixels (maxImagePixels), got 64x64',
  });
  createImageDecoder(40_000_000);
});

t.test('preprocessing that does not fit its input says so', async t => {
  const spec: TensorSpec = { name: 'image', type: 'uint8', shape: [-1, 3, 2, 4] };
  await t.rejects(decode(greyPng, { spec, image: plain, where: 'image' }), {
    code: 'INFER_MODEL_INVALID',
    message: /makes float32 \[1, 3, 2, 4\], but the input is "image" \(uint8/,
  });
});

t.test('a photograph is decoded, and refused when it is cut in half', async t => {
  const path = join(root, '..', 'shared', 'data', 'kitten.jpg');
  let photograph: Buffer;
  try {
    photograph = readFileSync(path);
  } catch {
    t.comment('skipped: no photograph beside this repository');
    return;
  }
  const { values } = await valuesOf(photograph, {
    size: [224, 224],
    resize: 'shorter',
    shorter: 256,
  });
  t.equal(values.length, 3 * 224 * 224);
  const half = photograph.subarray(0, photograph.length / 2);
  await t.rejects(valuesOf(half, { size: [224, 224] }), {
    code: 'INFER_BAD_INPUT',
    message: /whole, undamaged image/,
  });
});
