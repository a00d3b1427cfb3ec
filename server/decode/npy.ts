// SPDX-License-Identifier: Apache-2.0
// The bytes of an NPY file -> element type, shape and elements. Pure: nothing of the file is run, and nothing is copied
// that can be looked at where it lies. Objects, which are pickled Python and so may run code, are refused.
import { isUtf8 } from 'node:buffer';
import type { ElementType, TensorData } from '../../lib/index.js';
import { badInput, quote } from './describe.js';

export interface NpyArray {
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** In the order of the file; a view of it where alignment and byte order allow. */
  readonly data: TensorData;
  /** Whether the first axis is the one that runs fastest, not the last. */
  readonly isFortran: boolean;
}

/**
 * @param where  how messages call the file.
 * @throws       INFER_BAD_INPUT for what is no whole NPY file of numbers, truth values or texts.
 * @source       NumPy Enhancement Proposal 1, versions 1.0, 2.0 and 3.0 of the format.
 */
export function readNpy(file: Uint8Array, where: string): NpyArray {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const { header, start } = findHeader(bytes, where);
  const { descr, isFortran, shape } = readHeader(header, where);
  const kind = kindOf(descr, where);
  const count = countOf(shape, where);
  const body = bytes.subarray(start);
  if (count * kind.bytes !== body.length) {
    const expected = `${count * kind.bytes} bytes behind the header for ${quote(descr)} and shape [${shape.join(', ')}]`;
    throw badInput(where, expected, `${body.length}`);
  }
  checkSizes(shape, bytes.length, where);
  if (kind.array === undefined && (count > mostTexts || body.length > mostTextBytes)) {
    const expected = `at most ${mostTexts} texts of together ${mostTextBytes} bytes`;
    throw badInput(where, expected, `${count} of ${body.length}`);
  }
  const data = kind.array === undefined ? readTexts(body, kind, where) : viewOf(body, kind, count);
  return { type: kind.type, shape, data, isFortran };
}

/** They are read in one go. */
const mostTexts = 16_384;
const mostTextBytes = 2 ** 20;

const magic = Buffer.from('\x93NUMPY', 'latin1');
/** As NumPy reads at most, so that nobody has to parse more. */
const longestHeader = 10_000;

function findHeader(bytes: Buffer, where: string): { header: string; start: number } {
  if (!bytes.subarray(0, magic.length).equals(magic)) {
    const got = bytes.length === 0 ? 'no bytes' : 'bytes of another kind';
    throw badInput(where, 'an NPY file', got);
  }
  const major = bytes[6] ?? 0;
  const minor = bytes[7] ?? 0;
  if (major < 1 || major > 3 || minor !== 0) {
    throw badInput(where, 'NPY of version 1.0, 2.0 or 3.0', `${major}.${minor}`);
  }
  const lengthEnd = major === 1 ? 10 : 12;
  if (bytes.length < lengthEnd) throw badInput(where, 'a whole header', `${bytes.length} bytes`);
  const length = major === 1 ? bytes.readUInt16LE(8) : bytes.readUInt32LE(8);
  const left = bytes.length - lengthEnd;
  if (length > longestHeader || length > left) {
    const expected = `a header of at most ${Math.min(left, longestHeader)} bytes`;
    throw badInput(where, expected, `${length}`);
  }
  const start = lengthEnd + length;
  const header = bytes.toString(major === 3 ? 'utf8' : 'latin1', lengthEnd, start);
  return { header, start };
}

interface Header {
  readonly descr: string;
  readonly isFortran: boolean;
  readonly shape: readonly number[];
}

/** One entry of the dictionary: a text, a truth value or a tuple of numbers, which Python 2 ends with an L. */
const entry =
  /\s*(['"])(descr|fortran_order|shape)\1\s*:\s*(?:(['"])([^'"]*)\3|(True|False)|\(([0-9L,\s]*)\))\s*(?:,|(?=\}))/y;

function readHeader(header: string, where: string): Header {
  const found = new Map<string, string>();
  const opening = /^\s*\{/.exec(header)?.[0].length ?? 0;
  let at = opening;
  for (;;) {
    entry.lastIndex = at;
    const match = opening > 0 ? entry.exec(header) : null;
    if (match === null) break;
    const [whole, , key = '', , text, truth, tuple] = match;
    const value = { descr: text, fortran_order: truth, shape: tuple }[key];
    if (value === undefined || found.has(key)) break;
    found.set(key, value);
    at += whole.length;
  }
  const { descr, fortran_order, shape } = Object.fromEntries(found);
  const isWhole = /^\s*\}\s*$/.test(header.slice(at));
  if (!isWhole || descr === undefined || fortran_order === undefined || shape === undefined) {
    const expected = 'a header with "descr", "fortran_order" and "shape" of a plain array';
    throw badInput(where, expected, quote(header.slice(at).trim()));
  }
  return { descr, isFortran: fortran_order === 'True', shape: readShape(shape, where) };
}

/** As many axes as NumPy has at most. */
const mostAxes = 64;
const longestAxis = 2 ** 31 - 1;

function readShape(tuple: string, where: string): number[] {
  const texts = tuple.split(',').map(text => text.trim());
  if (texts.at(-1) === '') texts.pop();
  if (texts.length > mostAxes) throw badInput(where, `at most ${mostAxes} axes`, `${texts.length}`);
  return texts.map((text, axis) => {
    const size = /^[0-9]{1,15}L?$/.test(text) ? Number.parseInt(text, 10) : -1;
    if (size >= 0 && size <= longestAxis) return size;
    throw badInput(where, `shape[${axis}] to be an integer from 0 to ${longestAxis}`, quote(text));
  });
}

/** An axis longer than the file is a lie, also where an empty one beside it makes the array empty. */
function checkSizes(shape: readonly number[], bytes: number, where: string): void {
  if (!shape.includes(0) || shape.every(size => size <= bytes)) return;
  throw badInput(where, `axes of at most ${bytes}, the bytes of the file`, `[${shape.join(', ')}]`);
}

function countOf(shape: readonly number[], where: string): number {
  if (shape.includes(0)) return 0;
  const count = shape.reduce((product, size) => product * size, 1);
  if (count <= Number.MAX_SAFE_INTEGER / 8) return count;
  throw badInput(where, 'a shape that an array can have', `[${shape.join(', ')}]`);
}

type ArrayClass = new (buffer: ArrayBufferLike, start: number, length: number) => TensorData;

interface Kind {
  readonly type: ElementType;
  /** Of one element. */
  readonly bytes: number;
  readonly swapped: boolean;
  /** Of texts: UTF-32. */
  readonly isWide: boolean;
  /** undefined for texts. */
  readonly array: ArrayClass | undefined;
}

const numbers: Readonly<Record<string, readonly [ElementType, ArrayClass]>> = {
  b1: ['bool', Uint8Array],
  i1: ['int8', Int8Array],
  i2: ['int16', Int16Array],
  i4: ['int32', Int32Array],
  i8: ['int64', BigInt64Array],
  u1: ['uint8', Uint8Array],
  u2: ['uint16', Uint16Array],
  u4: ['uint32', Uint32Array],
  u8: ['uint64', BigUint64Array],
  f2: ['float16', Uint16Array],
  f4: ['float32', Float32Array],
  f8: ['float64', Float64Array],
};

/** What others of NumPy's kinds are, for those who wonder. */
const refusedKinds: Readonly<Record<string, string>> = {
  O: 'Python objects, which are pickled and may run code',
  V: 'raw bytes or records',
  c: 'complex numbers',
  M: 'dates',
  m: 'durations',
};

function kindOf(descr: string, where: string): Kind {
  const [, order = '', kind = '', digits = ''] =
    /^([<>|=]?)([A-Za-z?])([0-9]{0,6})/.exec(descr) ?? [];
  const swapped = order === '>';
  const number = numbers[kind + digits];
  const isPlain = descr === order + kind + digits;
  if (isPlain && number !== undefined && Object.hasOwn(numbers, kind + digits)) {
    const [type, array] = number;
    return { type, bytes: Number(digits), swapped, isWide: false, array };
  }
  const size = Number(digits);
  const isNamed = isPlain || kind === 'M' || kind === 'm'; // these have a unit behind them
  if (isPlain && size > 0 && (kind === 'S' || kind === 'U')) {
    const isWide = kind === 'U';
    return { type: 'string', bytes: isWide ? 4 * size : size, swapped, isWide, array: undefined };
  }
  const expected = `"descr" to be one of ${Object.keys(numbers).join(', ')}, S<n> or U<n> with <, > or | before it`;
  const reason = isNamed && Object.hasOwn(refusedKinds, kind) ? ` (${refusedKinds[kind]})` : '';
  throw badInput(where, expected, quote(descr) + reason);
}

function viewOf(body: Buffer, { bytes, swapped, array }: Kind, count: number): TensorData {
  if (array === undefined) return [];
  const inPlace = body.byteOffset % bytes === 0 && !(swapped && bytes > 1);
  if (inPlace) return new array(body.buffer, body.byteOffset, count);
  const own = Buffer.from(new Uint8Array(body).buffer); // a copy, which is aligned
  if (swapped && bytes === 2) own.swap16();
  if (swapped && bytes === 4) own.swap32();
  if (swapped && bytes === 8) own.swap64();
  return new array(own.buffer, own.byteOffset, count);
}

/** Texts are as long as the longest, with zeros behind the shorter ones; U is UTF-32, S any bytes, here UTF-8. */
function readTexts(body: Buffer, { bytes, swapped, isWide }: Kind, where: string): string[] {
  return Array.from({ length: body.length / bytes }, (_, index) => {
    const own = body.subarray(index * bytes, (index + 1) * bytes);
    const text = isWide ? wideText(own, swapped) : narrowText(own);
    if (text !== undefined) return text;
    throw badInput(`${where}[${index}]`, isWide ? 'UTF-32' : 'UTF-8', 'other bytes');
  });
}

function narrowText(bytes: Buffer): string | undefined {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  const own = bytes.subarray(0, end);
  return isUtf8(own) ? own.toString('utf8') : undefined;
}

function wideText(bytes: Buffer, swapped: boolean): string | undefined {
  const points: number[] = [];
  for (let at = 0; at < bytes.length; at += 4) {
    points.push(swapped ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at));
  }
  while (points.at(-1) === 0) points.pop();
  if (points.some(point => point > 0x10ffff)) return undefined;
  return points.map(point => String.fromCodePoint(point)).join('');
}
