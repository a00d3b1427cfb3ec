// SPDX-License-Identifier: Apache-2.0
// Encoded image -> the elements of an image input, through sharp with every limit it has.
import sharp, { type Sharp } from 'sharp';
import type { ImageSpec, ModelInfo, TensorData, TensorSpec } from '../../lib/index.js';
import { InferenceError } from '../../lib/index.js';
import { type Size, scaleByArea } from './area.js';
import { badInput, specText } from './describe.js';

/** The elements of an image input. */
export interface ImageTensor {
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** Where an image is wanted: the input, what its pixels become, and how messages call its bytes. */
export interface ImageTarget {
  readonly spec: TensorSpec;
  readonly image: ImageSpec;
  readonly where: string;
}

/**
 * @param bytes  JPEG, PNG, WebP, GIF, AVIF or TIFF; of an animation the first frame counts.
 * @returns      one row: float32, shape [1, C, H, W] or [1, H, W, C], without the 1 for an input of three axes.
 *               Transparency lies on black; EXIF orientation is applied; 16-bit channels are cut to 8.
 * @throws       INFER_BAD_INPUT for what is none of these, damaged, truncated or has too many pixels.
 */
export type DecodeImage = (bytes: Buffer, target: ImageTarget) => Promise<ImageTensor>;

// libvips knows many more; what is not here cannot be reached by a body that lies about its type.
const loaders = ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Heif', 'Tiff'].map(
  name => `VipsForeignLoad${name}Buffer`,
);

/**
 * Sets up sharp for this process: nothing cached, one thread per image, only our loaders.
 * @param maxPixels  largest width times height, compared before anything is decoded.
 */
export function createImageDecoder(maxPixels: number): DecodeImage {
  sharp.cache(false);
  sharp.concurrency(1); // images side by side, each on one thread of Node's pool
  sharp.block({ operation: ['VipsForeignLoad'] });
  sharp.unblock({ operation: loaders });
  return (bytes, target) => decodeImage(bytes, target, maxPixels);
}

const signatures: readonly { readonly at: number; readonly bytes: string }[] = [
  { at: 0, bytes: '\xff\xd8\xff' }, // JPEG
  { at: 0, bytes: '\x89PNG\r\n\x1a\n' },
  { at: 0, bytes: 'GIF8' },
  { at: 8, bytes: 'WEBP' },
  { at: 4, bytes: 'ftypavi' }, // AVIF: brands avif and avis
  { at: 0, bytes: 'II*\0' }, // TIFF, both byte orders
  { at: 0, bytes: 'MM\0*' },
];

/** Whether the bytes begin like an image of a kind that is decoded here. */
export function looksLikeImage(bytes: Buffer): boolean {
  const start = bytes.toString('latin1', 0, 16);
  return signatures.some(signature => start.startsWith(signature.bytes, signature.at));
}

async function decodeImage(
  bytes: Buffer,
  { spec, image, where }: ImageTarget,
  maxPixels: number,
): Promise<ImageTensor> {
  const shape = shapeOf(spec, image);
  if (!looksLikeImage(bytes)) {
    const got = bytes.length === 0 ? 'no bytes' : 'bytes of another kind';
    throw badInput(where, 'a JPEG, PNG, WebP, GIF, AVIF or TIFF image', got);
  }
  const source = await readSize(bytes, where, maxPixels);
  const scaled = scaledSize(source, image, where);
  try {
    const upright = open(bytes, maxPixels).autoOrient().flatten({ background: '#000' });
    const fitted = image.filter === 'area' ? upright : fit(upright, image, scaled);
    const coloured = fitted.toColourspace(image.colour === 'gray' ? 'b-w' : 'srgb');
    return { shape, data: normalise(await pixelsOf(coloured, image, scaled), image) };
  } catch (error) {
    throw damaged(error, where);
  }
}

/** failOn "warning" refuses the most: a JPEG that ends early is only a warning to its decoder. */
function open(bytes: Buffer, maxPixels: number): Sharp {
  return sharp(bytes, { limitInputPixels: maxPixels, failOn: 'warning' });
}

function damaged(error: unknown, where: string): InferenceError {
  const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
  return badInput(where, 'a whole, undamaged image', reason);
}

/** Longest side of a JPEG. Beyond it images are strips of pixels that take minutes and gigabytes to decode. */
const longestSide = 65_535;

/** Reads the header only. The size is that of the upright image. */
async function readSize(bytes: Buffer, where: string, maxPixels: number): Promise<Size> {
  let size: Size;
  try {
    const header = await sharp(bytes, { limitInputPixels: false }).metadata();
    size = header.autoOrient;
  } catch (error) {
    throw damaged(error, where);
  }
  const got = `${size.width}x${size.height}`;
  if (size.width * size.height > maxPixels) {
    throw badInput(where, `an image of at most ${maxPixels} pixels (maxImagePixels)`, got);
  }
  if (Math.max(size.width, size.height) > longestSide) {
    throw badInput(where, `an image of at most ${longestSide} pixels a side`, got);
  }
  return size;
}

/** The largest side that an image is scaled to before its centre is cut out. */
const longestScaled = 1_000_000;

/** What the whole image is scaled to. */
function scaledSize({ width, height }: Size, image: ImageSpec, where: string): Size {
  const [wantedWidth, wantedHeight] = image.size;
  if (image.resize === 'stretch') return { width: wantedWidth, height: wantedHeight };
  if (image.resize === 'contain') {
    const scale = Math.min(wantedWidth / width, wantedHeight / height);
    return {
      width: Math.max(1, Math.round(width * scale)),
      height: Math.max(1, Math.round(height * scale)),
    };
  }
  const scale =
    image.resize === 'shorter'
      ? image.shorter / Math.min(width, height)
      : Math.max(wantedWidth / width, wantedHeight / height);
  const scaled = {
    width: Math.max(wantedWidth, Math.round(width * scale)),
    height: Math.max(wantedHeight, Math.round(height * scale)),
  };
  if (Math.max(scaled.width, scaled.height) > longestScaled) {
    const expected = `an image that is less of a strip, for resize "${image.resize}"`;
    throw badInput(where, expected, `${width}x${height}`);
  }
  return scaled;
}

/**
 * Whether images can become these inputs at all, which is better known before the first one comes.
 * @throws  INFER_MODEL_INVALID for preprocessing that makes another type or shape than its input has.
 */
export function checkImageInputs({ signature, preprocess = {} }: ModelInfo): void {
  for (const spec of signature.inputs) {
    const target = Object.hasOwn(preprocess, spec.name) ? preprocess[spec.name] : undefined;
    if (target !== undefined) shapeOf(spec, target.image);
  }
}

function shapeOf(spec: TensorSpec, { size, layout, colour }: ImageSpec): number[] {
  const [width, height] = size;
  const channels = colour === 'gray' ? 1 : 3;
  const one = layout === 'NCHW' ? [channels, height, width] : [height, width, channels];
  const shape = spec.shape.length === 3 ? one : [1, ...one];
  const fits =
    spec.type === 'float32' &&
    spec.shape.length === shape.length &&
    spec.shape.every((fixed, axis) => fixed < 0 || fixed === shape[axis]);
  if (fits) return shape;
  throw new InferenceError(
    'INFER_MODEL_INVALID',
    `preprocess.${spec.name}.image: makes float32 [${shape.join(', ')}], but the input is ${specText(spec)}`,
  );
}

function fit(pipeline: Sharp, { size, resize, filter }: ImageSpec, scaled: Size): Sharp {
  const [width, height] = size;
  const kernel = filter === 'bilinear' ? 'linear' : 'lanczos3';
  const fastShrinkOnLoad = filter !== 'bilinear'; // decoders that shrink do it by filters of their own
  const how = { kernel, fastShrinkOnLoad } as const;
  if (resize === 'contain') {
    return pipeline.resize({ width, height, fit: 'contain', background: '#000', ...how });
  }
  const left = Math.floor((scaled.width - width) / 2);
  const top = Math.floor((scaled.height - height) / 2);
  return pipeline.resize({ ...scaled, fit: 'fill', ...how }).extract({ left, top, width, height });
}

/** Libvips has no average over areas that are no whole pixels. */
async function pixelsOf(
  pipeline: Sharp,
  { filter, size: [width, height] }: ImageSpec,
  scaled: Size,
): Promise<Uint8Array> {
  const raw = pipeline.raw({ depth: 'uchar' });
  if (filter !== 'area') return raw.toBuffer();
  const { data, info } = await raw.toBuffer({ resolveWithObject: true });
  const from = { pixels: data, width: info.width, height: info.height };
  return scaleByArea(from, { scaled, size: { width, height }, channels: info.channels });
}

/** value = (pixel * scale - mean) / std, each step rounded to float32, looked up because a pixel has 256 values. */
function normalise(
  pixels: Uint8Array,
  { layout, colour, scale, mean, std }: ImageSpec,
): Float32Array {
  const channels = mean.length;
  const area = pixels.length / channels;
  const values = new Float32Array(pixels.length);
  for (let channel = 0; channel < channels; channel++) {
    const table = valuesOf(scale, mean[channel] ?? 0, std[channel] ?? 1);
    const source = colour === 'bgr' ? channels - 1 - channel : channel;
    const start = layout === 'NCHW' ? channel * area : channel;
    const step = layout === 'NCHW' ? 1 : channels;
    for (let index = 0; index < area; index++) {
      values[start + index * step] = table[pixels[index * channels + source] ?? 0] ?? 0;
    }
  }
  return values;
}

function valuesOf(scale: number, mean: number, std: number): Float32Array {
  const { fround } = Math;
  return Float32Array.from({ length: 256 }, (_, pixel) => {
    const scaled = fround(pixel * fround(scale));
    return fround(fround(scaled - fround(mean)) / fround(std));
  });
}
