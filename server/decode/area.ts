// SPDX-License-Identifier: Apache-2.0
// Scales pixels by the average of the area that each new one covers, a slice at a time so that the event loop goes on.

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Pixels, row by row, a byte for each channel. */
export interface Bitmap extends Size {
  readonly pixels: Uint8Array;
}

export interface AreaTarget {
  /** What the whole image is scaled to. */
  readonly scaled: Size;
  /** What is cut out around the centre of that; where it is larger, black lies around. */
  readonly size: Size;
  readonly channels: number;
}

/** About a millisecond of work. */
const sliceSamples = 2 ** 18;

/**
 * @returns  the pixels of `size`, rounded.
 * @source   OpenCV, INTER_AREA: the mean over the area, pixels at its edge by the part that lies inside.
 */
export async function scaleByArea(from: Bitmap, target: AreaTarget): Promise<Uint8Array> {
  const { scaled, size, channels } = target;
  const columns = sharesOf(from.width, scaled.width, size.width);
  const rows = sharesOf(from.height, scaled.height, size.height);
  const pixels = new Uint8Array(size.width * size.height * channels);
  const sums = new Float64Array(size.width * channels);
  let samples = 0;
  for (let y = 0; y < size.height; y++) {
    sums.fill(0);
    for (let share = rows.starts[y] ?? 0; share < (rows.starts[y + 1] ?? 0); share++) {
      const index = rows.sources[share] ?? 0;
      addRow(sums, from, { index, weight: rows.weights[share] ?? 0, columns, channels });
      samples += Math.max(from.width, size.width) * channels;
      if (samples < sliceSamples) continue;
      samples = 0;
      await new Promise(setImmediate);
    }
    const start = y * sums.length;
    for (let at = 0; at < sums.length; at++) pixels[start + at] = Math.round(sums[at] ?? 0);
  }
  return pixels;
}

/** What the new pixels along one axis are made of: pixel n of the shares from `starts[n]` to `starts[n + 1]`, whose sources lie side by side. */
interface Shares {
  readonly starts: Int32Array;
  readonly sources: Int32Array;
  readonly weights: Float64Array;
}

function sharesOf(from: number, scaled: number, size: number): Shares {
  const step = from / scaled;
  const left = Math.trunc((scaled - size) / 2);
  const starts = new Int32Array(size + 1);
  const sources: number[] = [];
  const weights: number[] = [];
  for (let at = 0; at < size; at++) {
    const start = (left + at) * step;
    const end = start + step;
    const isInside = left + at >= 0 && left + at < scaled;
    for (let index = Math.floor(start); isInside && index < Math.min(end, from); index++) {
      sources.push(index);
      weights.push((Math.min(end, index + 1) - Math.max(start, index)) / step);
    }
    starts[at + 1] = sources.length;
  }
  return { starts, sources: Int32Array.from(sources), weights: Float64Array.from(weights) };
}

interface RowShare {
  readonly index: number;
  readonly weight: number;
  readonly columns: Shares;
  readonly channels: number;
}

function addRow(
  sums: Float64Array,
  { pixels, width }: Bitmap,
  { index, weight, columns: { starts, sources, weights }, channels }: RowShare,
): void {
  const row = index * width * channels;
  for (let x = 0, at = 0; at < sums.length; x++) {
    const start = starts[x] ?? 0;
    const end = starts[x + 1] ?? 0;
    for (let channel = 0; channel < channels; channel++, at++) {
      let source = row + (sources[start] ?? 0) * channels + channel;
      let sum = 0;
      for (let share = start; share < end; share++, source += channels) {
        sum += (weights[share] ?? 0) * (pixels[source] ?? 0);
      }
      sums[at] = (sums[at] ?? 0) + weight * sum;
    }
  }
}
